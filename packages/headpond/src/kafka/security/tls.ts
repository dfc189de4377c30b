/** TLS of a listener, from Kafka's settings, and where they say nothing from the `tls-` directives of the server. */

import { constants } from 'node:crypto'
import type { SecureContextOptions, TlsOptions } from 'node:tls'
import type { Config } from '../../config/config.ts'
import { ConfigError } from '../../config/config-error.ts'
import { checkTlsOptions, readAuthorities, tlsOptionsOf, versionsOf } from '../../security/tls.ts'
import type { BrokerConfig } from '../broker-config.ts'
import type { KafkaListener } from '../listener.ts'
import { opensslNameOf } from './cipher-name.ts'
import { KeyStoreError, readKeyStore, readTrustStore } from './key-store.ts'

export type ClientAuth = 'none' | 'requested' | 'required'

const AUTH_CLIENTS: Readonly<Record<ClientAuth, 'no' | 'optional' | 'yes'>> = {
  none: 'no',
  requested: 'optional',
  required: 'yes',
}

/** What a listener wants of its clients. Who logs in needs no certificate, unless the listener itself says so (KIP-684). */
export function clientAuthOf({ name, protocol }: KafkaListener, config: BrokerConfig): ClientAuth {
  const own = config.ofListenerAlone(name, 'ssl.client.auth')
  const text = protocol === 'SSL' ? config.ofListener(name, 'ssl.client.auth') : own
  return (text?.trim() || 'none') as ClientAuth
}

/** Throws ConfigError, which names the setting. */
export function listenerTlsOptions(listener: KafkaListener, brokerConfig: BrokerConfig, config: Config): TlsOptions {
  const clientAuth = clientAuthOf(listener, brokerConfig)
  const pathOf = (path: string) => config.absolutePath(path)
  const { settings } = config
  const text = (name: Parameters<BrokerConfig['ofListener']>[1]) => brokerConfig.ofListener(listener.name, name)
  const stores = { text, pathOf }
  const identity = named(() => readKeyStore(stores))
  if (identity === null && (settings.tlsCertFile === '' || settings.tlsKeyFile === '')) {
    throw new ConfigError(
      `kafka.listeners ${listener.name}`,
      `the listener speaks ${listener.protocol}, and there is no certificate for it`,
      'Set kafka.ssl.keystore.location (PEM or PKCS12), or tls-cert-file and tls-key-file.',
    )
  }
  const authorities = named(() => readTrustStore(stores)) ?? readAuthorities(settings, pathOf)
  if (clientAuth !== 'none' && authorities === undefined) {
    throw new ConfigError(
      `kafka.ssl.client.auth ${clientAuth}`,
      'there is no authority to check the certificates of clients with',
      'Set kafka.ssl.truststore.location (PEM) or tls-ca-cert-file, or kafka.ssl.client.auth none.',
    )
  }
  const common = {
    // Without a list of its own Node would trust everyone whom the authorities of the web have certified.
    ca: authorities ?? [],
    requestCert: clientAuth !== 'none',
    rejectUnauthorized: clientAuth === 'required',
  }
  const base: SecureContextOptions =
    identity ??
    tlsOptionsOf({ ...settings, tlsAuthClients: authorities === undefined ? 'no' : AUTH_CLIENTS[clientAuth] }, pathOf)
  const protocols = (text('ssl.enabled.protocols') ?? '').split(',').join(' ')
  const versions = versionsOf(protocols.trim(), `kafka.ssl.enabled.protocols ${protocols}`)
  const suites = (text('ssl.cipher.suites') ?? '').split(',').flatMap((each) => each.trim() || [])
  const options: TlsOptions = {
    ...base,
    ...common,
    minVersion: versions.min,
    maxVersion: versions.max,
    secureOptions: (base.secureOptions ?? 0) | versions.refused | constants.SSL_OP_NO_RENEGOTIATION,
    ...(suites.length === 0 ? {} : { ciphers: suites.map(opensslNameOf).join(':') }),
  }
  if (suites.length > 0) {
    const remedy =
      'Write names as Java has them, such as TLS_AES_256_GCM_SHA384 or TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256.'
    checkTlsOptions({ ciphers: options.ciphers! }, `kafka.ssl.cipher.suites ${suites.join(',')}`, remedy)
  }
  checkTlsOptions(options, `kafka.listeners ${listener.name}`, 'Check the settings kafka.ssl.* of this listener.')
  return options
}

function named<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof KeyStoreError)) throw error
    throw new ConfigError(`kafka.${error.setting}`, error.problem, error.remedy)
  }
}
