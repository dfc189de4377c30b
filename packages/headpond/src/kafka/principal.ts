/** Who a client is: `User:alice`. The type is `User` wherever people and programs prove who they are. */
export interface KafkaPrincipal {
  readonly type: string
  readonly name: string
}

/** Who has not proved anything: on a listener without SASL and client certificates, everybody. */
export const ANONYMOUS: KafkaPrincipal = { type: 'User', name: 'ANONYMOUS' }

/** `User:alice`, as settings and access control lists name principals. */
export function textOfPrincipal({ type, name }: KafkaPrincipal): string {
  return `${type}:${name}`
}

/** Null where the text is no principal. A name may have colons of its own. */
export function parsePrincipal(text: string): KafkaPrincipal | null {
  const colon = text.indexOf(':')
  if (colon < 0) return null
  return { type: text.slice(0, colon), name: text.slice(colon + 1) }
}
