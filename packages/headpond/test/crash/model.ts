/** What some keys hold, as plain JavaScript, and what the commands of the load do to them. */
export type Value =
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'list'; readonly items: string[] }
  | { readonly kind: 'hash'; readonly fields: Map<string, string> }
  | { readonly kind: 'set'; readonly members: Set<string> }
  | { readonly kind: 'zset'; readonly scores: Map<string, number> }
  | { readonly kind: 'stream'; readonly entries: (readonly [id: string, text: string])[] }

/** When a key expires: between two moments, since only the server knows exactly. */
export interface ExpiryWindow {
  readonly fromMs: number
  readonly toMs: number
}

/** A key as a server has it: its value in canonical form, and when it expires (-1: never). */
export interface FoundKey {
  readonly value: string
  readonly expireAtMs: number
}

export class Model {
  #values = new Map<string, Value>()
  #expiries = new Map<string, ExpiryWindow>()

  copy(): Model {
    const copy = new Model()
    copy.#values = structuredClone(this.#values)
    copy.#expiries = new Map(this.#expiries)
    return copy
  }

  // ---- Keys ----

  has(key: string): boolean {
    return this.#values.has(key)
  }

  delete(key: string): void {
    this.#values.delete(key)
    this.#expiries.delete(key)
  }

  expire(key: string, window: ExpiryWindow): void {
    if (this.has(key)) this.#expiries.set(key, window)
  }

  persist(key: string): void {
    this.#expiries.delete(key)
  }

  /** COPY with REPLACE. */
  copyKey(from: string, to: string): void {
    const value = this.#values.get(from)
    if (value === undefined || from === to) return
    const expiry = this.#expiries.get(from)
    this.delete(to)
    this.#values.set(to, structuredClone(value))
    if (expiry !== undefined) this.#expiries.set(to, expiry)
  }

  // ---- Values, each made when it is not there ----

  setText(key: string, text: string): void {
    this.delete(key)
    this.#values.set(key, { kind: 'string', text })
  }

  text(key: string): string {
    const value = this.#values.get(key)
    return value?.kind === 'string' ? value.text : ''
  }

  /** APPEND and INCR: the expiry stays. */
  changeText(key: string, change: (text: string) => string): void {
    this.#values.set(key, { kind: 'string', text: change(this.text(key)) })
  }

  changeList(key: string, change: (items: string[]) => void): void {
    const value = this.#values.get(key)
    const items = value?.kind === 'list' ? value.items : []
    change(items)
    this.#keep(key, { kind: 'list', items }, items.length)
  }

  changeHash(key: string, change: (fields: Map<string, string>) => void): void {
    const value = this.#values.get(key)
    const fields = value?.kind === 'hash' ? value.fields : new Map<string, string>()
    change(fields)
    this.#keep(key, { kind: 'hash', fields }, fields.size)
  }

  changeSet(key: string, change: (members: Set<string>) => void): void {
    const value = this.#values.get(key)
    const members = value?.kind === 'set' ? value.members : new Set<string>()
    change(members)
    this.#keep(key, { kind: 'set', members }, members.size)
  }

  changeScores(key: string, change: (scores: Map<string, number>) => void): void {
    const value = this.#values.get(key)
    const scores = value?.kind === 'zset' ? value.scores : new Map<string, number>()
    change(scores)
    this.#keep(key, { kind: 'zset', scores }, scores.size)
  }

  changeStream(key: string, change: (entries: (readonly [id: string, text: string])[]) => void): void {
    const value = this.#values.get(key)
    const entries = value?.kind === 'stream' ? value.entries : []
    change(entries)
    this.#values.set(key, { kind: 'stream', entries })
  }

  #keep(key: string, value: Value, size: number): void {
    if (size === 0) this.delete(key)
    else this.#values.set(key, value)
  }

  // ---- Comparing ----

  /** The first key that differs from what a server has, and how; null when it has just this. */
  difference(found: ReadonlyMap<string, FoundKey>): { key: string; problem: string } | null {
    for (const key of this.#values.keys()) {
      const problem = this.differenceAt(key, found)
      if (problem !== null) return { key, problem }
    }
    for (const key of found.keys()) if (!this.has(key)) return { key, problem: `${key} should not be there` }
    return null
  }

  differenceAt(key: string, found: ReadonlyMap<string, FoundKey>): string | null {
    const value = this.#values.get(key)
    const there = found.get(key)
    if (value === undefined) return there === undefined ? null : `${key} should not be there`
    if (there === undefined) return `${key} is not there`
    const wanted = canonical(value)
    if (there.value !== wanted) return `${key} is ${shown(there.value)}, not ${shown(wanted)}`
    const window = this.#expiries.get(key)
    if (window === undefined) return there.expireAtMs === -1 ? null : `${key} expires, but should not`
    if (there.expireAtMs >= window.fromMs && there.expireAtMs <= window.toMs) return null
    return `${key} expires at ${there.expireAtMs}, not from ${window.fromMs} to ${window.toMs}`
  }
}

const SHOWN_MAX = 200

function shown(text: string): string {
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}... (${text.length})` : text
}

/** One text for one value, whatever the order of what has none. */
export function canonical(value: Value): string {
  switch (value.kind) {
    case 'string':
      return `string ${value.text}`
    case 'list':
      return `list ${JSON.stringify(value.items)}`
    case 'hash':
      return `hash ${JSON.stringify([...value.fields].sort(byFirst))}`
    case 'set':
      return `set ${JSON.stringify([...value.members].sort())}`
    case 'zset':
      return `zset ${JSON.stringify([...value.scores].sort(byFirst))}`
    case 'stream':
      return `stream ${JSON.stringify(value.entries)}`
  }
}

function byFirst([first]: readonly [string, unknown], [second]: readonly [string, unknown]): number {
  return first < second ? -1 : 1
}
