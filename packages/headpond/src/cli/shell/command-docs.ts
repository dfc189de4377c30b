import type { WireReply } from '../../resp/wire-reply.ts'
import { rawText } from './format.ts'
import type { Session } from './session.ts'

/** What is known of a command: from the server itself (COMMAND DOCS, Redis 7 and later), or from our own table. */
export interface CommandDoc {
  /** In upper case, with the container: 'CLIENT LIST'. */
  readonly name: string
  readonly summary: string
  readonly since: string
  readonly group: string
  readonly args: readonly ArgumentDoc[]
}

export interface ArgumentDoc {
  readonly name: string
  readonly type: string
  readonly token?: string | undefined
  readonly isOptional: boolean
  readonly isMultiple: boolean
  readonly repeatsToken: boolean
  readonly children: readonly ArgumentDoc[]
}

export class CommandDocs {
  readonly all: readonly CommandDoc[]
  readonly #byName: ReadonlyMap<string, CommandDoc>

  constructor(docs: readonly CommandDoc[]) {
    this.all = docs.toSorted((a, b) => (a.name < b.name ? -1 : 1))
    this.#byName = new Map(this.all.map((doc) => [doc.name, doc]))
  }

  /** From the reply to COMMAND DOCS; undefined when it is none. */
  static of(reply: WireReply): CommandDocs | undefined {
    if (reply.kind !== 'array' && reply.kind !== 'map') return undefined
    const docs = pairsOf(reply).flatMap(([name, body]) => docsOf(rawText(name), body))
    return docs.length === 0 ? undefined : new CommandDocs(docs)
  }

  /** For servers that do not tell. */
  static async ofOwnTable(): Promise<CommandDocs> {
    const [{ CommandTable }, { parseArguments }] = await Promise.all([
      import('../../resp/command-table.ts'),
      import('../../resp/command-arguments.ts'),
    ])
    const rows = new CommandTable().all.flatMap((command) => [command, ...(command.subcommands?.values() ?? [])])
    return new CommandDocs(
      rows.map(({ fullName, spec }) => ({
        name: fullName.replace('|', ' ').toUpperCase(),
        summary: spec.summary,
        since: spec.since,
        group: spec.group,
        args: parseArguments(spec.args ?? ''),
      })),
    )
  }

  /** The command that a line begins with, and how many words name it. */
  find(words: readonly string[]): { doc: CommandDoc; nameWordCount: number } | undefined {
    for (const nameWordCount of [2, 1]) {
      const doc =
        words.length < nameWordCount
          ? undefined
          : this.#byName.get(words.slice(0, nameWordCount).join(' ').toUpperCase())
      if (doc !== undefined) return { doc, nameWordCount }
    }
    return undefined
  }

  get groups(): string[] {
    return [...new Set(this.all.map((doc) => doc.group))].sort()
  }
}

function docsOf(name: string, body: WireReply): CommandDoc[] {
  const fields = fieldsOf(body)
  const text = (field: string) => {
    const value = fields.get(field)
    return value === undefined ? '' : rawText(value)
  }
  const doc: CommandDoc = {
    name: name.replace('|', ' ').toUpperCase(),
    summary: text('summary'),
    since: text('since'),
    group: text('group'),
    args: itemsOf(fields.get('arguments')).map(argumentOf),
  }
  const subcommands = fields.get('subcommands')
  if (subcommands === undefined) return [doc]
  return [doc, ...pairsOf(subcommands).flatMap(([subcommand, itsBody]) => docsOf(rawText(subcommand), itsBody))]
}

function argumentOf(reply: WireReply): ArgumentDoc {
  const fields = fieldsOf(reply)
  const text = (field: string) => {
    const value = fields.get(field)
    return value === undefined ? undefined : rawText(value)
  }
  const flags = itemsOf(fields.get('flags')).map((flag) => rawText(flag))
  return {
    name: text('display_text') ?? text('name') ?? '',
    type: text('type') ?? 'string',
    token: text('token'),
    isOptional: flags.includes('optional'),
    isMultiple: flags.includes('multiple'),
    repeatsToken: flags.includes('multiple_token'),
    children: itemsOf(fields.get('arguments')).map(argumentOf),
  }
}

function itemsOf(reply: WireReply | undefined): readonly WireReply[] {
  return reply !== undefined && 'items' in reply ? reply.items : []
}

/** RESP2 sends a map as a flat array. */
function pairsOf(reply: WireReply): [WireReply, WireReply][] {
  const items = itemsOf(reply)
  const pairs: [WireReply, WireReply][] = []
  for (let index = 0; index + 1 < items.length; index += 2) pairs.push([items[index], items[index + 1]])
  return pairs
}

function fieldsOf(reply: WireReply): Map<string, WireReply> {
  return new Map(pairsOf(reply).map(([key, value]) => [rawText(key), value]))
}

/** What the server tells of its commands; of those that tell nothing, what we know ourselves. */
export async function loadDocs(session: Session, known: CommandDocs | null): Promise<CommandDocs> {
  if (known !== null) return known
  return CommandDocs.of(await session.call('COMMAND', 'DOCS')) ?? CommandDocs.ofOwnTable()
}
