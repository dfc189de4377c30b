import type { ArgumentDoc } from './command-docs.ts'

/** `key value [NX | XX] [GET] [EX seconds | KEEPTTL]` */
export function syntaxOf(args: readonly ArgumentDoc[]): string {
  return args.map(fullForm).join(' ')
}

function fullForm(arg: ArgumentDoc): string {
  const form = requiredForm(arg)
  if (arg.isOptional) return `[${form}]`
  return arg.type === 'oneof' && arg.token === undefined ? `<${form}>` : form
}

function requiredForm(arg: ArgumentDoc): string {
  const value = valueForm(arg)
  const once = joined(tokenForm(arg), value)
  if (!arg.isMultiple) return once
  return `${once} [${arg.repeatsToken ? once : value} ...]`
}

function tokenForm({ token }: ArgumentDoc): string {
  return token === '' ? '""' : (token ?? '')
}

function valueForm(arg: ArgumentDoc): string {
  switch (arg.type) {
    case 'pure-token':
      return ''
    case 'oneof': {
      const choices = arg.children.map(fullForm).join(' | ')
      return arg.token === undefined && !arg.isMultiple ? choices : `<${choices}>`
    }
    case 'block':
      return syntaxOf(arg.children)
    default:
      return arg.name
  }
}

function joined(...parts: string[]): string {
  return parts.filter((part) => part !== '').join(' ')
}

/**
 * What may still follow when `words` are typed; '' when nothing may, or the words do not fit. Options that were typed
 * are left out wherever they stand among their neighbours.
 */
export function remainingSyntax(args: readonly ArgumentDoc[], words: readonly string[]): string {
  const line = { words, at: 0 }
  const rest = takeAll(args, line, new Set())
  return rest !== undefined && line.at === words.length ? rest : ''
}

interface Line {
  readonly words: readonly string[]
  /** The first word that no argument has taken. */
  at: number
}

/** Takes words for arguments in their order, and gives what is left of them; undefined when a word does not fit. */
function takeAll(args: readonly ArgumentDoc[], line: Line, stopTokens: ReadonlySet<string>): string | undefined {
  const rest: string[] = []
  for (let index = 0; index < args.length; ) {
    const firstRequired = args.findIndex((arg, at) => at >= index && !arg.isOptional)
    const optionsEnd = firstRequired < 0 ? args.length : firstRequired
    if (optionsEnd > index) {
      const stops = new Set([...stopTokens, ...tokensOf(args.slice(index))])
      rest.push(...takeOptions(args.slice(index, optionsEnd), line, stops))
      index = optionsEnd
      continue
    }
    const arg = args[index++]
    if (line.at === line.words.length) rest.push(fullForm(arg))
    else {
      const left = take(arg, line, new Set([...stopTokens, ...tokensOf(args.slice(index))]))
      if (left === undefined) return undefined
      rest.push(left)
    }
  }
  return joined(...rest)
}

/** Options come in any order. */
function takeOptions(options: readonly ArgumentDoc[], line: Line, stopTokens: ReadonlySet<string>): string[] {
  const open = [...options]
  const rest: string[] = []
  while (line.at < line.words.length) {
    const start = line.at
    const index = open.findIndex((option) => {
      const left = take(option, line, stopTokens)
      if (left === undefined) line.at = start
      else rest.push(left)
      return left !== undefined
    })
    if (index < 0) break
    open.splice(index, 1)
  }
  return [...rest, ...open.map(fullForm)]
}

/** Takes the words of one argument, and gives what is left of it. */
function take(arg: ArgumentDoc, line: Line, stopTokens: ReadonlySet<string>): string | undefined {
  if (!takeToken(arg, line, stopTokens)) return undefined
  if (line.at === line.words.length && arg.type !== 'pure-token') return requiredForm({ ...arg, token: undefined })
  const left = takeValue(arg, line, stopTokens)
  if (left === undefined || !arg.isMultiple) return left
  let more = left
  while (line.at < line.words.length) {
    const start = line.at
    const isStop = !arg.repeatsToken && stopTokens.has(line.words[start].toUpperCase())
    const next =
      isStop || (arg.repeatsToken && !takeToken(arg, line, stopTokens)) ? undefined : takeValue(arg, line, stopTokens)
    if (next === undefined) {
      line.at = start
      return ''
    }
    more = next
  }
  const again = arg.repeatsToken ? joined(tokenForm(arg), valueForm(arg)) : valueForm(arg)
  return joined(more, `[${again} ...]`)
}

function takeToken(arg: ArgumentDoc, line: Line, stopTokens: ReadonlySet<string>): boolean {
  const word = line.words[line.at].toUpperCase()
  if (arg.token === undefined) return !(arg.isOptional && arg.children.length === 0 && stopTokens.has(word))
  if (word !== arg.token.toUpperCase()) return false
  line.at++
  return true
}

function takeValue(arg: ArgumentDoc, line: Line, stopTokens: ReadonlySet<string>): string | undefined {
  switch (arg.type) {
    case 'pure-token':
      return ''
    case 'oneof': {
      const start = line.at
      if (start === line.words.length) return valueForm(arg)
      for (const choice of arg.children) {
        const left = take(choice, line, stopTokens)
        if (left !== undefined) return left
        line.at = start
      }
      return undefined
    }
    case 'block':
      return takeAll(arg.children, line, stopTokens)
    default:
      if (line.at === line.words.length) return arg.name
      line.at++
      return ''
  }
}

/** The words that begin one of these arguments. */
function tokensOf(args: readonly ArgumentDoc[]): string[] {
  return args.flatMap((arg) => {
    if (arg.token !== undefined) return [arg.token.toUpperCase()]
    return arg.type === 'oneof'
      ? tokensOf(arg.children)
      : arg.type === 'block'
        ? tokensOf(arg.children.slice(0, 1))
        : []
  })
}
