import type { CommandSpec } from './command.ts'
import type { Reply } from './reply.ts'

/** Answers HELP of a command with subcommands: `lines` tell of each, what it does indented below its form. */
export function replyHelp(reply: Reply, command: string, lines: readonly string[]): void {
  const all = [
    `${command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
    ...lines,
    'HELP',
    '    Prints this help.',
  ]
  reply.array(all.length)
  for (const line of all) reply.simple(line)
}

/** The row of HELP among the subcommands of a command. */
export function helpSubcommand(
  command: string,
  place: Pick<CommandSpec, 'acl' | 'group' | 'since'>,
  lines: readonly string[],
): CommandSpec {
  return {
    ...place,
    name: 'HELP',
    arity: 2,
    flags: ['loading', 'stale'],
    complexity: 'O(1)',
    summary: 'Tells of the subcommands.',
    handler: (_client, _request, reply) => replyHelp(reply, command, lines),
  }
}
