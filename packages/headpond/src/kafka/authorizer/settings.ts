import { parsePrincipal } from '../principal.ts'
import type { AuthorizerSettings } from './authorizer.ts'

/** The one authorizer that there is, under the name of Kafka's class that decides alike. */
const STANDARD_AUTHORIZER = 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'

/** Between principals, since names of certificates have commas. */
const SEPARATOR = ';'

/** What is asked of the broker's settings here. */
interface Settings {
  text(name: 'authorizer.class.name' | 'super.users'): string | null
  boolean(name: 'allow.everyone.if.no.acl.found'): boolean
}

export function isAuthorizing(config: Settings): boolean {
  return config.text('authorizer.class.name') !== ''
}

export function authorizerSettings(config: Settings): AuthorizerSettings {
  return {
    superUsers: new Set(principalsIn(config.text('super.users') ?? '')),
    allowsWithoutAcl: config.boolean('allow.everyone.if.no.acl.found'),
  }
}

function principalsIn(text: string): string[] {
  return text.split(SEPARATOR).flatMap((each) => (each.trim() === '' ? [] : [each.trim()]))
}

export function checkAuthorizer(className: string): string | undefined {
  if (className === '' || className === STANDARD_AUTHORIZER) return undefined
  return `Classes cannot be loaded; an authorizer is ${STANDARD_AUTHORIZER}, and none is an empty value`
}

export function checkPrincipals(text: string): string | undefined {
  const wrong = principalsIn(text).find((each) => parsePrincipal(each) === null)
  if (wrong === undefined) return undefined
  return `expected a string in format principalType:principalName but got ${wrong}`
}
