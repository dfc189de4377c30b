/** What rules have to know of a command. Given as data, so that this floor depends on no protocol. */
export interface CommandDescription {
  /** Small and dense: the place of its bit in a selector. */
  readonly id: number
  /** In lower case; of a subcommand with its container: 'config|get'. */
  readonly name: string
  /** Without '@'. */
  readonly categories: readonly string[]
  /** None for a command that has no subcommands: rules may then speak of its first argument. */
  readonly subcommands: readonly CommandDescription[]
}

/** The commands and categories that rules can name. */
export class CommandCatalog {
  readonly categories: readonly string[]
  /** Every id is smaller. */
  readonly idEnd: number
  readonly #byName: ReadonlyMap<string, CommandDescription>
  readonly #byCategory: ReadonlyMap<string, readonly CommandDescription[]>

  constructor(commands: readonly CommandDescription[], categories: readonly string[]) {
    const all = commands.flatMap((command) => [command, ...command.subcommands])
    this.categories = categories
    this.idEnd = all.reduce((end, { id }) => Math.max(end, id + 1), 0)
    this.#byName = new Map(all.map((command) => [command.name, command]))
    this.#byCategory = new Map(
      categories.map((category) => [category, all.filter((command) => command.categories.includes(category))]),
    )
  }

  /** In any case of letters. */
  find(name: string): CommandDescription | undefined {
    return this.#byName.get(name.toLowerCase())
  }

  /** The commands and subcommands of a category, in any case of letters; undefined when there is no such category. */
  inCategory(category: string): readonly CommandDescription[] | undefined {
    return this.#byCategory.get(category.toLowerCase())
  }
}
