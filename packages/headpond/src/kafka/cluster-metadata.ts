/**
 * What is known of the whole cluster beside its topics: settings that clients have changed while it ran (of brokers,
 * groups and client metrics), quotas, levels of features, and delegation tokens. One small file of JSON in the directory of
 * the logs; each change writes it anew, and is on disk when `save` returns. Without a directory all of it lives in memory.
 */

import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { diskFiles } from '../config/files.ts'
import { INITIAL_FEATURES, type StoredFeatures } from './features.ts'
import type { StoredQuotas } from './quotas/client-quotas.ts'
import type { DelegationToken } from './security/delegation-tokens.ts'

const FILE_NAME = 'cluster-metadata.json'
const FORMAT_VERSION = 1

/** Names and values, as they go over the wire. */
export type ConfigMap = Map<string, string>

/** The kinds of resources whose settings are kept here; those of topics stand in the log's own catalog. */
export type ConfigOwner = 'broker' | 'group' | 'client-metrics'

interface Stored {
  readonly version: number
  readonly configs: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>>
  /** Absent in files of before there were any. */
  readonly quotas?: readonly StoredQuotas[]
  readonly features?: StoredFeatures
  readonly tokens?: readonly DelegationToken[]
}

export class ClusterMetadata {
  /** Of the logs; null: everything is in memory. */
  readonly directory: string | null
  readonly #path: string | null
  readonly #configs: Record<ConfigOwner, Map<string, ConfigMap>> = {
    broker: new Map(),
    group: new Map(),
    'client-metrics': new Map(),
  }
  #quotas: readonly StoredQuotas[] = []
  #features = INITIAL_FEATURES
  #tokens: readonly DelegationToken[] = []

  /** @param directory null: nothing is kept on disk */
  constructor(directory: string | null) {
    this.directory = directory
    this.#path = directory === null ? null : join(directory, FILE_NAME)
  }

  /** Reads what was saved. Throws when there is a file that cannot be read. */
  load(): void {
    if (this.#path === null) return
    let text: string
    try {
      text = readFileSync(this.#path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    const stored = JSON.parse(text) as Stored
    if (stored.version !== FORMAT_VERSION) throw new Error(`${this.#path} has format ${stored.version}, not 1`)
    this.#quotas = stored.quotas ?? []
    this.#features = stored.features ?? INITIAL_FEATURES
    this.#tokens = stored.tokens ?? []
    for (const owner of Object.keys(this.#configs) as ConfigOwner[]) {
      for (const [name, config] of Object.entries(stored.configs[owner] ?? {})) {
        this.#configs[owner].set(name, new Map(Object.entries(config)))
      }
    }
  }

  get quotas(): readonly StoredQuotas[] {
    return this.#quotas
  }

  /** Replaces the quotas of clients. */
  setQuotas(quotas: readonly StoredQuotas[]): void {
    this.#quotas = quotas
    this.save()
  }

  get features(): StoredFeatures {
    return this.#features
  }

  setFeatureLevels(levels: Readonly<Record<string, number>>): void {
    this.#features = { epoch: this.#features.epoch + 1, levels: { ...this.#features.levels, ...levels } }
    this.save()
  }

  get tokens(): readonly DelegationToken[] {
    return this.#tokens
  }

  setTokens(tokens: readonly DelegationToken[]): void {
    this.#tokens = tokens
    this.save()
  }

  /** What was set for this resource; for brokers the empty name is all of them. */
  configOf(owner: ConfigOwner, name: string): ReadonlyMap<string, string> {
    return this.#configs[owner].get(name) ?? new Map()
  }

  /** The names of the resources of this kind for which something is set. */
  configuredNames(owner: ConfigOwner): string[] {
    return [...this.#configs[owner].keys()]
  }

  /** Replaces what is set for this resource. */
  setConfig(owner: ConfigOwner, name: string, config: ReadonlyMap<string, string>): void {
    if (config.size === 0) this.#configs[owner].delete(name)
    else this.#configs[owner].set(name, new Map(config))
    this.save()
  }

  save(): void {
    if (this.#path === null) return
    mkdirSync(dirname(this.#path), { recursive: true })
    const configs = Object.fromEntries(
      Object.entries(this.#configs).map(([owner, byName]) => [
        owner,
        Object.fromEntries([...byName].map(([name, config]) => [name, Object.fromEntries(config)])),
      ]),
    )
    const stored: Stored = {
      version: FORMAT_VERSION,
      configs,
      quotas: this.#quotas,
      features: this.#features,
      tokens: this.#tokens,
    }
    diskFiles.replace(this.#path, Buffer.from(`${JSON.stringify(stored, null, 2)}\n`))
  }
}
