/** `--command-config`: a file of properties under the names of Kafka's own clients, as Kafka's own tools take it. */

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { parseAddress } from '../../kafka/client/address.ts'
import type { KafkaClientOptions, SaslCredentials } from '../../kafka/client/client.ts'
import { KeyStoreError, readKeyStore, readTrustStore } from '../../kafka/security/key-store.ts'
import { SASL_MECHANISMS } from '../../kafka/security/sasl.ts'
import { KafkaCliError } from './kafka-cli-error.ts'
import { parseProperties } from './properties.ts'

const PROTOCOLS = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']

/** Throws KafkaCliError. */
export function readCommandConfig(path: string): Partial<KafkaClientOptions> {
  let properties: Map<string, string>
  try {
    properties = parseProperties(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new KafkaCliError(`--command-config ${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  const complain = (name: string, problem: string) => new KafkaCliError(`${path}: ${name}: ${problem}`)
  const protocol = (properties.get('security.protocol') ?? 'PLAINTEXT').toUpperCase()
  if (!PROTOCOLS.includes(protocol)) {
    throw complain('security.protocol', `one of ${PROTOCOLS.join(', ')}, not ${protocol}`)
  }
  const bootstrap = properties
    .get('bootstrap.servers')
    ?.split(',')
    .map((text) => {
      const address = parseAddress(text)
      if (address === undefined) throw complain('bootstrap.servers', `an address is host:port, not ${text}`)
      return address
    })
  const clientId = properties.get('client.id')
  const timeout = properties.get('request.timeout.ms')
  if (timeout !== undefined && !/^[1-9]\d*$/.test(timeout)) {
    throw complain('request.timeout.ms', `a number of milliseconds, not ${timeout}`)
  }
  return {
    ...(bootstrap === undefined ? {} : { bootstrap }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(timeout === undefined ? {} : { timeoutMs: Number(timeout) }),
    ...(protocol.endsWith('SSL') ? { tls: tlsOf(properties, complain) } : {}),
    ...(protocol.startsWith('SASL') ? { sasl: saslOf(properties, complain) } : {}),
  }
}

type Complain = (name: string, problem: string) => KafkaCliError

function tlsOf(properties: ReadonlyMap<string, string>, complain: Complain): ConnectionOptions {
  const stores = {
    text: (name: string) => properties.get(name) ?? null,
    // As Kafka's tools: from where they are called.
    pathOf: (each: string) => resolve(each),
  }
  try {
    const authorities = readTrustStore(stores)
    const checksName = (properties.get('ssl.endpoint.identification.algorithm') ?? 'https') !== ''
    return {
      ...readKeyStore(stores),
      ...(authorities === null ? {} : { ca: authorities }),
      ...(checksName ? {} : { checkServerIdentity: () => undefined }),
    }
  } catch (error) {
    if (!(error instanceof KeyStoreError)) throw error
    throw complain(error.setting, `${error.problem}. ${error.remedy}`)
  }
}

function saslOf(properties: ReadonlyMap<string, string>, complain: Complain): SaslCredentials {
  const name = properties.get('sasl.mechanism') ?? 'GSSAPI'
  const mechanism = SASL_MECHANISMS.find((each) => each === name)
  if (mechanism === undefined) throw complain('sasl.mechanism', `one of ${SASL_MECHANISMS.join(', ')}, not ${name}`)
  const login = properties.get('sasl.jaas.config') ?? ''
  const user = optionOf(login, 'username')
  const password = optionOf(login, 'password')
  if (user === undefined || password === undefined) {
    throw complain('sasl.jaas.config', 'there is no username="..." password="..." in it')
  }
  const isToken = optionOf(login, 'tokenauth')?.toLowerCase() === 'true'
  return { mechanism, user, password, isToken }
}

/** An option of Java's login configuration: `name="value"`, with backslashes before quotes. */
function optionOf(login: string, name: string): string | undefined {
  const match = new RegExp(
    `(?:^|\\s)${name}\\s*=\\s*(?:"((?:\\\\.|[^"\\\\])*)"|'((?:\\\\.|[^'\\\\])*)'|([^\\s;"']+))`,
  ).exec(login)
  const quoted = match?.[1] ?? match?.[2]
  return quoted === undefined ? match?.[3] : quoted.replace(/\\(.)/g, '$1')
}
