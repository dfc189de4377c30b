import { constants, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSecureContext, DEFAULT_CIPHERS, type SecureVersion, type TlsOptions } from 'node:tls'
import { ConfigError } from '../config/config-error.ts'
import type { Settings } from '../config/directives.ts'

/**
 * The `tls-*` directives as the options of Node's TLS server. Everything that can be wrong with them is found here, and
 * told by ConfigError, so that a server neither starts nor changes with what no client could connect to.
 *
 * @param pathOf completes a path as it stands in the configuration
 */
export function tlsOptionsOf(settings: Settings, pathOf: (path: string) => string): TlsOptions {
  const { certificates, key } = readIdentity(settings, pathOf)
  const authorities = readAuthorities(settings, pathOf)
  const { tlsAuthClients, tlsDhParamsFile, tlsSessionCaching } = settings
  if (tlsAuthClients !== 'no' && authorities === undefined) {
    throw new ConfigError(
      `tls-auth-clients ${tlsAuthClients}`,
      'there is no authority to check the certificates of clients with',
      'Set tls-ca-cert-file or tls-ca-cert-dir, or tls-auth-clients no.',
    )
  }
  const versions = versionsOf(settings.tlsProtocols)
  const options: TlsOptions = {
    cert: certificates,
    key: key.export({ type: 'pkcs8', format: 'pem' }),
    // Without a list of its own Node would trust everyone whom the authorities of the web have certified.
    ca: authorities ?? [],
    requestCert: tlsAuthClients !== 'no',
    rejectUnauthorized: tlsAuthClients === 'yes',
    minVersion: versions.min,
    maxVersion: versions.max,
    secureOptions: versions.refused | (tlsSessionCaching ? 0 : constants.SSL_OP_NO_TICKET),
    sessionTimeout: settings.tlsSessionCacheTimeout,
    honorCipherOrder: settings.tlsPreferServerCiphers,
    ...readCiphers(settings),
  }
  if (tlsDhParamsFile !== '') {
    const place = `tls-dh-params-file ${tlsDhParamsFile}`
    const remedy = 'Write the path of a PEM file that "openssl dhparam 2048" has made.'
    options.dhparam = readFile('tls-dh-params-file', pathOf(tlsDhParamsFile))
    // Node takes anything, and goes without when it is nothing of the kind.
    if (!options.dhparam.includes('-----BEGIN DH PARAMETERS-----')) {
      throw new ConfigError(place, 'there are no Diffie-Hellman parameters in it', remedy)
    }
    checkTlsOptions(options, place, remedy)
  }
  checkTlsOptions(options, 'tls-cert-file', 'Check tls-cert-file, tls-key-file, tls-protocols and tls-ciphers.')
  return options
}

/** Lets OpenSSL look at the options so far. Throws ConfigError. */
export function checkTlsOptions(options: TlsOptions, place: string, remedy: string): void {
  try {
    createSecureContext(options)
  } catch (error) {
    throw new ConfigError(place, reasonOf(error), remedy)
  }
}

// ---- Certificate and key ----

function readIdentity(settings: Settings, pathOf: (path: string) => string): { certificates: Buffer; key: KeyObject } {
  const { tlsCertFile, tlsKeyFile, tlsKeyFilePass } = settings
  if (tlsCertFile === '' || tlsKeyFile === '') {
    const missing = tlsCertFile === '' ? 'certificate' : 'private key'
    throw new ConfigError('tls-port', `no ${missing} is configured`, 'Set tls-cert-file and tls-key-file.')
  }
  const certificatePlace = `tls-cert-file ${tlsCertFile}`
  const certificates = readFile('tls-cert-file', pathOf(tlsCertFile))
  const certificate = parse(certificatePlace, 'this is no certificate', PEM_CERTIFICATE, () => {
    return new X509Certificate(certificates)
  })
  const keyPlace = `tls-key-file ${tlsKeyFile}`
  const pem = readFile('tls-key-file', pathOf(tlsKeyFile))
  const isLocked = /^-----BEGIN ENCRYPTED PRIVATE KEY|^Proc-Type: 4,ENCRYPTED/m.test(pem.toString('latin1'))
  if (isLocked && tlsKeyFilePass === '') {
    throw new ConfigError(keyPlace, 'the key has a password', 'Set tls-key-file-pass.')
  }
  const [problem, remedy] = isLocked
    ? ['the key cannot be read with this password', 'Set tls-key-file-pass to the password of the key.']
    : ['this is no private key', 'Write the path of a PEM file that begins with -----BEGIN PRIVATE KEY-----.']
  const key = parse(keyPlace, problem, remedy, () => createPrivateKey({ key: pem, passphrase: tlsKeyFilePass }))
  if (!certificate.checkPrivateKey(key)) {
    throw new ConfigError(
      keyPlace,
      `the key does not belong to the certificate in ${tlsCertFile}`,
      'Set tls-key-file and tls-cert-file together.',
    )
  }
  return { certificates, key }
}

const PEM_CERTIFICATE = 'Write the path of a PEM file that begins with -----BEGIN CERTIFICATE-----.'

function parse<T>(place: string, problem: string, remedy: string, read: () => T): T {
  try {
    return read()
  } catch {
    throw new ConfigError(place, problem, remedy)
  }
}

// ---- Authorities ----

/** What `tls-ca-cert-file` and `tls-ca-cert-dir` have; undefined without them. Throws ConfigError. */
export function readAuthorities(settings: Settings, pathOf: (path: string) => string): string[] | undefined {
  const { tlsCaCertFile, tlsCaCertDir } = settings
  if (tlsCaCertFile === '' && tlsCaCertDir === '') return undefined
  const authorities: string[] = []
  if (tlsCaCertFile !== '') {
    const found = certificatesIn(readFile('tls-ca-cert-file', pathOf(tlsCaCertFile)))
    if (found.length === 0) {
      throw new ConfigError(`tls-ca-cert-file ${tlsCaCertFile}`, 'there is no certificate in it', PEM_CERTIFICATE)
    }
    authorities.push(...found)
  }
  if (tlsCaCertDir !== '') {
    const found = certificatesOfDirectory(`tls-ca-cert-dir ${tlsCaCertDir}`, pathOf(tlsCaCertDir))
    if (found.length === 0) {
      throw new ConfigError(
        `tls-ca-cert-dir ${tlsCaCertDir}`,
        'there is no certificate in it',
        'Write the path of a directory of PEM files.',
      )
    }
    authorities.push(...found)
  }
  return [...new Set(authorities)]
}

/** OpenSSL would look for names made of hashes when it needs one; here all files count, whatever they are called. */
function certificatesOfDirectory(place: string, directory: string): string[] {
  let entries: string[]
  try {
    entries = readdirSync(directory)
  } catch (error) {
    throw new ConfigError(place, `cannot be read (${codeOf(error)})`, 'Write the path of a directory of PEM files.')
  }
  return entries.sort().flatMap((name) => {
    try {
      return certificatesIn(readFileSync(join(directory, name)))
    } catch {
      return [] // a directory, or what is nobody's to read
    }
  })
}

/** The certificates of a PEM file that are whole. */
function certificatesIn(pem: Buffer): string[] {
  const blocks = pem.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.filter((block) => {
    try {
      return new X509Certificate(block).raw.length > 0
    } catch {
      return false
    }
  })
}

// ---- Versions and ciphers ----

const VERSIONS: readonly { readonly name: SecureVersion; readonly refusal: number }[] = [
  { name: 'TLSv1', refusal: constants.SSL_OP_NO_TLSv1 },
  { name: 'TLSv1.1', refusal: constants.SSL_OP_NO_TLSv1_1 },
  { name: 'TLSv1.2', refusal: constants.SSL_OP_NO_TLSv1_2 },
  { name: 'TLSv1.3', refusal: constants.SSL_OP_NO_TLSv1_3 },
]

/**
 * The lowest and highest version, and the bits that refuse those between that are not wanted. Throws ConfigError.
 *
 * @param text with blanks between versions; empty: those that are good today
 */
export function versionsOf(
  text: string,
  place = `tls-protocols ${text}`,
): { min: SecureVersion; max: SecureVersion; refused: number } {
  const words = (text === '' ? 'TLSv1.2 TLSv1.3' : text).split(/\s+/).filter((word) => word !== '')
  const unknown = words.find((word) => !VERSIONS.some(({ name }) => name.toLowerCase() === word.toLowerCase()))
  const wanted = VERSIONS.filter(({ name }) => words.some((word) => word.toLowerCase() === name.toLowerCase()))
  if (unknown !== undefined || wanted.length === 0) {
    throw new ConfigError(
      place,
      `there is no version '${unknown ?? text}'`,
      "Write one or several of TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3, such as 'TLSv1.2 TLSv1.3'.",
    )
  }
  const refused = VERSIONS.filter((version) => !wanted.includes(version)).reduce((bits, each) => bits | each.refusal, 0)
  return { min: wanted[0].name, max: wanted[wanted.length - 1].name, refused }
}

/** Node has one list for all versions; that of TLS 1.3 consists of the names that begin with `TLS_`. */
function readCiphers({ tlsCiphers, tlsCiphersuites }: Settings): { ciphers?: string } {
  if (tlsCiphers === '' && tlsCiphersuites === '') return {}
  const remedy = 'Write names that "openssl ciphers -v" shows, with a colon between each two.'
  // Each by itself: beside another list, names that nobody knows would be passed over.
  if (tlsCiphers !== '') checkTlsOptions({ ciphers: tlsCiphers }, `tls-ciphers ${tlsCiphers}`, remedy)
  if (tlsCiphersuites !== '')
    checkTlsOptions({ ciphers: tlsCiphersuites }, `tls-ciphersuites ${tlsCiphersuites}`, remedy)
  const defaults = DEFAULT_CIPHERS.split(':')
  const suites = tlsCiphersuites === '' ? defaults.filter((name) => name.startsWith('TLS_')) : [tlsCiphersuites]
  const ciphers = tlsCiphers === '' ? defaults.filter((name) => !name.startsWith('TLS_')) : [tlsCiphers]
  return { ciphers: [...suites, ...ciphers].join(':') }
}

// ---- Files ----

function readFile(directive: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new ConfigError(`${directive} ${path}`, `cannot be read (${codeOf(error)})`, 'Write the path of a PEM file.')
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? reasonOf(error)
}

/** What OpenSSL has to say: `no cipher match`. */
function reasonOf(error: unknown): string {
  const { reason } = error as { reason?: string }
  return reason ?? (error instanceof Error ? error.message : String(error))
}
