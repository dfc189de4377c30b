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
