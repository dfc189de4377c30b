import { splitArguments } from '../../config/quoting.ts'
import type { CommandDoc, CommandDocs } from './command-docs.ts'
import { remainingSyntax, syntaxOf } from './syntax.ts'

/** What may follow a line that is being typed, shown behind the cursor; '' when nothing is known. */
export function hintFor(line: string, docs: CommandDocs): string {
  const words = wordsOf(line)
  if (words === undefined || words.length === 0) return ''
  const found = docs.find(words)
  if (found === undefined) return ''
  const { doc, nameWordCount } = found
  // The name of a container may become a subcommand's.
  if (nameWordCount === 1 && doc.args.length === 0 && isContainer(doc, docs)) return ''
  const rest = remainingSyntax(doc.args, words.slice(nameWordCount))
  return rest === '' || line.endsWith(' ') ? rest : ` ${rest}`
}

/** The words that the last one of a line may become, and that last word. Written as the user writes: in upper or lower case. */
export function completionsFor(line: string, docs: CommandDocs): [candidates: string[], typed: string] {
  const words = line.split(' ').filter((word) => word !== '')
  const typed = line.endsWith(' ') ? '' : (words.pop() ?? '')
  const isHelp = words.length > 0 && /^(help|\?)$/i.test(words[0])
  const before = (isHelp ? words.slice(1) : words).map((word) => word.toUpperCase())
  const names = docs.all.map((doc) => doc.name.split(' '))
  const matching = names
    .filter((name) => name.length === before.length + 1 && before.every((word, index) => name[index] === word))
    .map((name) => name[before.length])
  if (before.length === 0) {
    if (isHelp) matching.push(...docs.groups.map((group) => `@${group}`))
    else matching.push('HELP')
  }
  const isLower = /[a-z]/.test(typed) || (typed === '' && /[a-z]/.test(line))
  const candidates = matching
    .filter((name) => name.toUpperCase().startsWith(typed.toUpperCase()))
    .map((name) => (isLower || name.startsWith('@') ? name.toLowerCase() : name))
  return [candidates.length === 1 ? [`${candidates[0]} `] : candidates, typed]
}

/** The answer to `help words...`. Null when nothing is known of them. */
export function helpOn(words: readonly string[], docs: CommandDocs, isTerminal: boolean): string | null {
  if (words.length === 0) return HELP_ON_HELP
  const isGroup = words[0].startsWith('@')
  const shown = isGroup
    ? docs.all.filter((doc) => doc.group === words[0].slice(1).toLowerCase())
    : docs.all.filter((doc) => {
        const name = doc.name.split(' ')
        return words.every((word, index) => word.toUpperCase() === name[index])
      })
  if (shown.length === 0) return null
  return `${shown.map((doc) => entry(doc, !isGroup, isTerminal)).join('')}\n`
}

function entry(doc: CommandDoc, tellsGroup: boolean, isTerminal: boolean): string {
  const styled = (code: number, text: string) => (isTerminal ? `\x1b[${code}m${text}\x1b[0m` : text)
  const head = `  ${styled(1, doc.name)} ${styled(90, syntaxOf(doc.args))}`.trimEnd()
  const lines = [
    '',
    head,
    `  ${styled(33, 'summary:')} ${doc.summary}`,
    `  ${styled(33, 'since:')} ${doc.since}`,
    ...(tellsGroup ? [`  ${styled(33, 'group:')} ${doc.group}`] : []),
  ]
  return `${lines.join('\n')}\n`
}

function isContainer(doc: CommandDoc, docs: CommandDocs): boolean {
  return docs.all.some((other) => other.name.startsWith(`${doc.name} `))
}

function wordsOf(line: string): string[] | undefined {
  return splitArguments(Buffer.from(line))?.map((word) => Buffer.from(word).toString())
}

const HELP_ON_HELP = `\
"help @<group>" lists the commands of a group, "help <command>" tells of a command;
"help <tab>" completes both.

  5 <command>            runs a command five times
  connect <host> <port>  goes to another server
  clear                  clears the screen
  :set hints             shows arguments behind the cursor; ":set nohints" does not
  quit                   ends (as exit and Ctrl-D do)
`
