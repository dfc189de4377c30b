/**
 * Certificates, keys and authorities by the names that Kafka has for them, for brokers and for clients: PEM in the settings
 * themselves, or in files; PKCS12 in files. Java's own format (JKS) is not read.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { SecureContextOptions } from 'node:tls'
import { createSecureContext } from 'node:tls'

export type StoreSettingName =
  | 'ssl.keystore.type'
  | 'ssl.keystore.location'
  | 'ssl.keystore.password'
  | 'ssl.keystore.certificate.chain'
  | 'ssl.keystore.key'
  | 'ssl.key.password'
  | 'ssl.truststore.type'
  | 'ssl.truststore.location'
  | 'ssl.truststore.certificates'

export interface StoreSettings {
  /** Null: not set. */
  text(name: StoreSettingName): string | null
  /** Completes a path as it stands in a setting. */
  pathOf(path: string): string
}

/** What is wrong with a setting, where, and what to do about it. */
export class KeyStoreError extends Error {
  override readonly name = 'KeyStoreError'
  readonly setting: StoreSettingName
  readonly problem: string
  readonly remedy: string

  constructor(setting: StoreSettingName, problem: string, remedy: string) {
    super(`${setting}: ${problem}. ${remedy}`)
    this.setting = setting
    this.problem = problem
    this.remedy = remedy
  }
}

const PEM_REMEDY = 'Write PEM: the lines from -----BEGIN to -----END.'

/** Who we are; null when nothing says it. Throws KeyStoreError. */
export function readKeyStore(settings: StoreSettings): SecureContextOptions | null {
  const chain = settings.text('ssl.keystore.certificate.chain')
  const key = settings.text('ssl.keystore.key')
  const location = settings.text('ssl.keystore.location')
  if (chain !== null || key !== null) {
    if (chain === null || key === null) {
      const missing = chain === null ? 'ssl.keystore.certificate.chain' : 'ssl.keystore.key'
      throw new KeyStoreError(missing, 'is missing beside the other', 'Set the certificates and the key together.')
    }
    return pemIdentity(settings, chain, key, 'ssl.keystore.certificate.chain', 'ssl.keystore.key')
  }
  if (location === null || location === '') return null
  const bytes = readStore(settings, 'ssl.keystore.location', settings.text('ssl.keystore.type'))
  if (isPem(bytes)) {
    const text = bytes.toString('latin1')
    return pemIdentity(settings, text, text, 'ssl.keystore.location', 'ssl.keystore.location')
  }
  const passphrase = settings.text('ssl.keystore.password') ?? ''
  const options = { pfx: bytes, passphrase }
  try {
    createSecureContext(options)
  } catch {
    throw new KeyStoreError(
      'ssl.keystore.location',
      `${location} cannot be opened as PKCS12 with this password`,
      'Check ssl.keystore.password, and that there is a certificate with its key in it.',
    )
  }
  return options
}

function pemIdentity(
  settings: StoreSettings,
  chain: string,
  key: string,
  chainPlace: StoreSettingName,
  keyPlace: StoreSettingName,
): SecureContextOptions {
  const certificates = pemBlocks(chain).filter(({ label }) => label === 'CERTIFICATE')
  const [keyBlock] = pemBlocks(key).filter(({ label }) => label.endsWith('PRIVATE KEY'))
  if (certificates.length === 0) throw new KeyStoreError(chainPlace, 'there is no certificate in it', PEM_REMEDY)
  if (keyBlock === undefined) throw new KeyStoreError(keyPlace, 'there is no private key in it', PEM_REMEDY)
  const passphrase = settings.text('ssl.key.password') ?? settings.text('ssl.keystore.password') ?? ''
  let privateKey: ReturnType<typeof createPrivateKey>
  try {
    privateKey = createPrivateKey({ key: keyBlock.pem, passphrase })
  } catch {
    throw new KeyStoreError(keyPlace, 'the private key cannot be read', 'Check it, and ssl.key.password if it has one.')
  }
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(certificates[0].pem)
  } catch {
    throw new KeyStoreError(chainPlace, 'the certificate cannot be read', PEM_REMEDY)
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new KeyStoreError(keyPlace, 'the key does not belong to the first certificate', 'Set them together.')
  }
  return {
    cert: certificates.map(({ pem }) => pem).join(''),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}

/** Whom to trust, in PEM; null when nothing says it. Throws KeyStoreError. */
export function readTrustStore(settings: StoreSettings): string[] | null {
  const certificates = settings.text('ssl.truststore.certificates')
  const location = settings.text('ssl.truststore.location')
  if (certificates !== null) return authoritiesIn(certificates, 'ssl.truststore.certificates')
  if (location === null || location === '') return null
  const bytes = readStore(settings, 'ssl.truststore.location', settings.text('ssl.truststore.type'))
  if (isPem(bytes)) return authoritiesIn(bytes.toString('latin1'), 'ssl.truststore.location')
  throw new KeyStoreError(
    'ssl.truststore.location',
    `${location} is PKCS12, which is read for keys alone`,
    'Write its certificates as PEM: keytool -exportcert -rfc -keystore <file> -alias <name>.',
  )
}

function authoritiesIn(text: string, place: StoreSettingName): string[] {
  const blocks = pemBlocks(text).filter(({ label }) => label === 'CERTIFICATE')
  if (blocks.length === 0) throw new KeyStoreError(place, 'there is no certificate in it', PEM_REMEDY)
  for (const { pem } of blocks) {
    try {
      new X509Certificate(pem)
    } catch {
      throw new KeyStoreError(place, 'a certificate in it cannot be read', PEM_REMEDY)
    }
  }
  return blocks.map(({ pem }) => pem)
}

/** The bytes of a file: PEM, or what may be PKCS12. */
function readStore(settings: StoreSettings, setting: StoreSettingName, type: string | null): Buffer {
  const location = settings.text(setting)!
  let bytes: Buffer
  try {
    bytes = readFileSync(settings.pathOf(location))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new KeyStoreError(setting, `${location} cannot be read (${code})`, 'Write the path of a PEM or PKCS12 file.')
  }
  // What Kafka takes a file for by default is Java's own format; here the file tells what it is.
  if (bytes.length >= 4 && (bytes.readUInt32BE(0) === JKS_MAGIC || bytes.readUInt32BE(0) === JCEKS_MAGIC)) {
    throw new KeyStoreError(
      setting,
      `${location} is in Java's own format (JKS), which is not read here`,
      'Convert it: keytool -importkeystore -srckeystore <file> -destkeystore <new file> -deststoretype PKCS12.',
    )
  }
  if (type?.toUpperCase() === 'PEM' && !isPem(bytes))
    throw new KeyStoreError(setting, `${location} is no PEM`, PEM_REMEDY)
  return bytes
}

const JKS_MAGIC = 0xfeedfeed
const JCEKS_MAGIC = 0xcececece

function isPem(bytes: Buffer): boolean {
  return bytes.includes('-----BEGIN ')
}

interface PemBlock {
  readonly label: string
  readonly pem: string
}

/** The blocks of a text. In a setting on one line, blanks stand for the ends of lines. */
function pemBlocks(text: string): PemBlock[] {
  return [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([^-]*(?:-[^-]+)*)-----END \1-----/g)].map(
    ([, label, body]) => {
      const bare = body.replace(/\s+/g, '')
      const isPlain = /^[A-Za-z0-9+/=]*$/.test(bare)
      const lines = isPlain ? (bare.match(/.{1,64}/g) ?? []).join('\n') : body.trim()
      return { label, pem: `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n` }
    },
  )
}
