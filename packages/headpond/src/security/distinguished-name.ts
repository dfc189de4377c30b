/**
 * The subject of a certificate as one line, in the form of RFC 2253 as Java writes it, whose programs match on it:
 * `CN=alice,OU=Billing,O=Example\, Inc.`: the last part of the name first, and what has no short name as numbers.
 */

/** Attributes that have a short name in RFC 2253. */
const KEYWORDS: ReadonlyMap<string, string> = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.9', 'STREET'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['0.9.2342.19200300.100.1.1', 'UID'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
])

/** Types of DER. */
const TAG = { version: 0xa0, utf8String: 0x0c, bmpString: 0x1e } as const
/** PrintableString, TeletexString, IA5String. */
const STRING_TAGS: ReadonlySet<number> = new Set([0x13, 0x14, 0x16])

interface DerValue {
  readonly tag: number
  /** With its tag and length. */
  readonly whole: Buffer
  readonly content: Buffer
}

/** @param certificate in DER. Throws when it is none. */
export function subjectOf(certificate: Uint8Array): string {
  const [outer] = valuesIn(Buffer.from(certificate))
  const [signed] = valuesIn(outer.content)
  const fields = valuesIn(signed.content)
  // Version (which may be left out), serial number, algorithm, issuer, validity, subject.
  const subject = fields[fields[0].tag === TAG.version ? 5 : 4]
  return valuesIn(subject.content)
    .map(({ content }) => valuesIn(content).map(attributeText).join('+'))
    .reverse()
    .join(',')
}

function attributeText({ content }: DerValue): string {
  const [type, value] = valuesIn(content)
  const oid = oidText(type.content)
  const keyword = KEYWORDS.get(oid)
  const text = keyword === undefined ? null : textOf(value)
  return text === null ? `${keyword ?? oid}=#${value.whole.toString('hex')}` : `${keyword}=${escaped(text)}`
}

function textOf({ tag, content }: DerValue): string | null {
  if (tag === TAG.utf8String) return content.toString('utf8')
  if (STRING_TAGS.has(tag)) return content.toString('latin1')
  if (tag === TAG.bmpString) return Buffer.from(content).swap16().toString('utf16le')
  return null
}

function escaped(text: string): string {
  const inner = text.replace(/[,=+<>#;"\\]/g, '\\$&').replaceAll('\0', '\\00')
  return inner.replace(/^ +| +$/g, (blanks) => blanks.replaceAll(' ', '\\ '))
}

function valuesIn(bytes: Buffer): DerValue[] {
  const values: DerValue[] = []
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at]
    let contentAt = at + 2
    let sizeBytes = bytes[at + 1]
    if (sizeBytes >= 0x80) {
      const countBytes = sizeBytes & 0x7f
      sizeBytes = bytes.readUIntBE(contentAt, countBytes)
      contentAt += countBytes
    }
    const end = contentAt + sizeBytes
    if (end > bytes.length) throw new Error('a certificate that is cut')
    values.push({ tag, whole: bytes.subarray(at, end), content: bytes.subarray(contentAt, end) })
    at = end
  }
  return values
}

function oidText(bytes: Buffer): string {
  const numbers: number[] = []
  let number = 0
  for (const byte of bytes) {
    number = number * 128 + (byte & 0x7f)
    if (byte >= 0x80) continue
    if (numbers.length === 0)
      numbers.push(Math.min(2, Math.floor(number / 40)), number - 40 * Math.min(2, Math.floor(number / 40)))
    else numbers.push(number)
    number = 0
  }
  return numbers.join('.')
}
