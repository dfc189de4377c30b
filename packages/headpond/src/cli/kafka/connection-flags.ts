import { parseAddress } from '../../kafka/client/address.ts'
import type { KafkaClientOptions, SaslCredentials } from '../../kafka/client/client.ts'
import { SASL_MECHANISMS } from '../../kafka/security/sasl.ts'
import { durationMs } from '../../server/duration.ts'
import { type TlsFileFlags, tlsOptions } from '../tls-flags.ts'
import type { Arguments, Flag } from './arguments.ts'
import { readCommandConfig } from './command-config.ts'
import { KafkaCliError, UsageError } from './kafka-cli-error.ts'

export const CONNECTION_FLAGS: readonly Flag[] = [
  {
    name: '--bootstrap',
    short: '-b',
    value: '<host:port,...>',
    summary: 'Brokers to begin with (KAFKA_BROKERS, else localhost:9092)',
  },
  { name: '--tls', summary: 'Connect over TLS' },
  { name: '--cacert', value: '<file>', summary: 'Certificates of authorities to trust' },
  { name: '--tls-cert', value: '<file>', summary: 'Certificate of this client' },
  { name: '--tls-key', value: '<file>', summary: 'Its private key' },
  { name: '--insecure', summary: 'Do not check certificates of brokers' },
  {
    name: '--user',
    value: '<name>',
    summary: 'Log in by SASL; the password stands in KAFKA_PASSWORD or HEADPOND_AUTH',
  },
  { name: '--password', value: '<text>', summary: 'The password, where it may be seen' },
  {
    name: '--mechanism',
    value: '<name>',
    summary: 'PLAIN (the default), SCRAM-SHA-256 or SCRAM-SHA-512 (KAFKA_SASL_MECHANISM)',
  },
  {
    name: '--command-config',
    value: '<file>',
    summary: "Properties of Kafka's own clients: security.protocol, sasl.jaas.config, ssl.truststore.location ...",
  },
  { name: '--timeout', value: '<duration>', summary: 'How long to wait for an answer (10s)' },
]

const TLS_FILES: TlsFileFlags = [
  ['--cacert', 'ca'],
  ['--tls-cert', 'cert'],
  ['--tls-key', 'key'],
]
const TLS_FLAGS = ['--tls', '--insecure', ...TLS_FILES.map(([flag]) => flag)]
const DEFAULT_BOOTSTRAP = 'localhost:9092'

/** Throws UsageError, and KafkaCliError when a file cannot be read. */
export function clientOptions(args: Arguments, env: NodeJS.ProcessEnv): KafkaClientOptions {
  const file = args.text('--command-config')
  const configured = file === undefined ? {} : readCommandConfig(file)
  const timeout = args.text('--timeout')
  return {
    clientId: 'headpond-cli',
    ...configured,
    bootstrap: bootstrapOf(args, env, configured),
    ...(isEncrypted(args, env, configured)
      ? { tls: { ...configured.tls, ...tlsOptions(TLS_FILES, (flag) => args.text(flag), refuse) } }
      : {}),
    ...saslOptions(args, env, configured),
    ...(timeout === undefined ? {} : { timeoutMs: milliseconds('--timeout', timeout) }),
  }
}

/** What the command line says counts before the file, and that before the environment. */
function bootstrapOf(
  args: Arguments,
  env: NodeJS.ProcessEnv,
  { bootstrap }: Partial<KafkaClientOptions>,
): KafkaClientOptions['bootstrap'] {
  if (args.list('--bootstrap').length === 0 && bootstrap !== undefined) return bootstrap
  const texts = args.list('--bootstrap').length > 0 ? args.list('--bootstrap') : listOf(env['KAFKA_BROKERS'])
  return (texts.length > 0 ? texts : [DEFAULT_BOOTSTRAP]).map((text) => {
    const address = parseAddress(text)
    if (address === undefined) throw new UsageError(`--bootstrap: an address is host:port, not ${text}`)
    return address
  })
}

function isEncrypted(args: Arguments, env: NodeJS.ProcessEnv, configured: Partial<KafkaClientOptions>): boolean {
  if (configured.tls !== undefined || TLS_FLAGS.some((name) => args.has(name))) return true
  return !args.has('--command-config') && (env['KAFKA_SECURITY_PROTOCOL'] ?? '').toUpperCase().endsWith('SSL')
}

/** A duration of the command line. Throws UsageError. */
export function milliseconds(name: string, text: string): number {
  try {
    return durationMs(/^\d+$/.test(text) ? Number(text) : text)
  } catch (error) {
    throw new UsageError(`${name}: ${(error as Error).message}`)
  }
}

function listOf(text = ''): string[] {
  return text.split(',').filter((each) => each !== '')
}

function saslOptions(
  args: Arguments,
  env: NodeJS.ProcessEnv,
  configured: Partial<KafkaClientOptions>,
): { sasl?: SaslCredentials } {
  const isOfFile = configured.sasl !== undefined && !args.has('--user')
  const user = args.text('--user') ?? (args.has('--command-config') ? configured.sasl?.user : env['KAFKA_USER'])
  if (user === undefined) return {}
  const ofFile = isOfFile ? configured.sasl?.password : undefined
  const password = args.text('--password') ?? ofFile ?? env['KAFKA_PASSWORD'] ?? env['HEADPOND_AUTH']
  if (password === undefined) throw new UsageError(`the password of ${user}: set KAFKA_PASSWORD, or use --password`)
  const name = args.text('--mechanism') ?? configured.sasl?.mechanism ?? env['KAFKA_SASL_MECHANISM'] ?? 'PLAIN'
  const mechanism = SASL_MECHANISMS.find((each) => each === name.toUpperCase())
  if (mechanism === undefined) throw new UsageError(`--mechanism: one of ${SASL_MECHANISMS.join(', ')}, not ${name}`)
  const isToken = isOfFile && configured.sasl?.isToken === true
  return { sasl: { user, password, mechanism, isToken } }
}

function refuse(message: string): KafkaCliError {
  return new KafkaCliError(message)
}
