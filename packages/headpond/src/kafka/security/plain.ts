/** More parts than that are not looked at. */
const PARTS_MAX = 4

/** The token of SASL PLAIN (RFC 4616): `[authorization id] NUL user NUL password`, in UTF-8. Three parts, if it is right. */
export function partsOfPlainToken(bytes: Uint8Array): string[] {
  return Buffer.from(bytes).toString('utf8').split('\0', PARTS_MAX)
}
