import { type Acl, keyOfAcl, PATTERN, WILDCARD } from './acl.ts'

/** The entries of all resources of one kind. */
class Shelf {
  /** Of the wildcard too. */
  readonly literal = new Map<string, Acl[]>()
  readonly prefixed = new Map<string, Acl[]>()
  /** How many prefixes have this length: a name is looked up once for each length that there is. */
  readonly prefixCountByLength = new Map<number, number>()
}

/** Entries, to be found by the resource that they apply to: in as many steps as there are lengths of prefixes. */
export class AclIndex {
  readonly #byKey = new Map<string, Acl>()
  readonly #shelves = new Map<number, Shelf>()

  get size(): number {
    return this.#byKey.size
  }

  has(acl: Acl): boolean {
    return this.#byKey.has(keyOfAcl(acl))
  }

  /** In the order in which they were added. */
  values(): IterableIterator<Acl> {
    return this.#byKey.values()
  }

  /** False when there is such an entry. */
  add(acl: Acl): boolean {
    const key = keyOfAcl(acl)
    if (this.#byKey.has(key)) return false
    this.#byKey.set(key, acl)
    const { resourceType, resourceName, patternType } = acl
    let shelf = this.#shelves.get(resourceType)
    if (shelf === undefined) this.#shelves.set(resourceType, (shelf = new Shelf()))
    const byName = patternType === PATTERN.prefixed ? shelf.prefixed : shelf.literal
    const entries = byName.get(resourceName)
    if (entries !== undefined) {
      entries.push(acl)
      return true
    }
    byName.set(resourceName, [acl])
    if (patternType === PATTERN.prefixed) {
      const { length } = resourceName
      shelf.prefixCountByLength.set(length, (shelf.prefixCountByLength.get(length) ?? 0) + 1)
    }
    return true
  }

  /** False when there is no such entry. */
  remove(acl: Acl): boolean {
    const key = keyOfAcl(acl)
    const known = this.#byKey.get(key)
    if (known === undefined) return false
    this.#byKey.delete(key)
    const { resourceType, resourceName, patternType } = known
    const shelf = this.#shelves.get(resourceType)!
    const byName = patternType === PATTERN.prefixed ? shelf.prefixed : shelf.literal
    const entries = byName.get(resourceName)!
    entries.splice(entries.indexOf(known), 1)
    if (entries.length > 0) return true
    byName.delete(resourceName)
    if (patternType === PATTERN.prefixed) {
      const { length } = resourceName
      const count = shelf.prefixCountByLength.get(length)! - 1
      if (count === 0) shelf.prefixCountByLength.delete(length)
      else shelf.prefixCountByLength.set(length, count)
    }
    return true
  }

  /** Calls `visit` with the entries of each pattern that applies to a resource, until it returns false. */
  visit(resourceType: number, resourceName: string, visit: (entries: readonly Acl[]) => boolean): void {
    const shelf = this.#shelves.get(resourceType)
    if (shelf === undefined) return
    const own = shelf.literal.get(resourceName)
    if (own !== undefined && !visit(own)) return
    const ofAll = resourceName === WILDCARD ? undefined : shelf.literal.get(WILDCARD)
    if (ofAll !== undefined && !visit(ofAll)) return
    for (const length of shelf.prefixCountByLength.keys()) {
      if (length > resourceName.length) continue
      const entries = shelf.prefixed.get(resourceName.slice(0, length))
      if (entries !== undefined && !visit(entries)) return
    }
  }

  /** All entries for resources of a kind. */
  *ofType(resourceType: number): IterableIterator<Acl> {
    const shelf = this.#shelves.get(resourceType)
    if (shelf === undefined) return
    for (const entries of shelf.literal.values()) yield* entries
    for (const entries of shelf.prefixed.values()) yield* entries
  }
}
