import type { KafkaPrincipal } from '../principal.ts'

/** Names that a client thinks up must not fill the memory. */
const DECISION_COUNT_MAX = 10_000
/** More than there are kinds of resources. */
const RESOURCE_TYPE_COUNT = 8

/** What was decided for one connection, as long as neither its principal nor an entry changes. */
export class DecisionCache {
  readonly principal: KafkaPrincipal
  readonly changeCount: number
  readonly #byQuestion: (Map<string, boolean> | undefined)[] = []
  #count = 0

  constructor(principal: KafkaPrincipal, changeCount: number) {
    this.principal = principal
    this.changeCount = changeCount
  }

  /** hot: for each topic of a request. */
  get(operation: number, resourceType: number, resourceName: string): boolean | undefined {
    return this.#byQuestion[operation * RESOURCE_TYPE_COUNT + resourceType]?.get(resourceName)
  }

  set(operation: number, resourceType: number, resourceName: string, isAllowed: boolean): void {
    if (this.#count >= DECISION_COUNT_MAX) {
      this.#byQuestion.length = 0
      this.#count = 0
    }
    const question = operation * RESOURCE_TYPE_COUNT + resourceType
    const byName = (this.#byQuestion[question] ??= new Map())
    byName.set(resourceName, isAllowed)
    this.#count++
  }
}
