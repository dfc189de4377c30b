import type { Flag } from './arguments.ts'
import { CONNECTION_FLAGS } from './connection-flags.ts'
import type { Verb, VerbFamily } from './verb.ts'

const SUMMARY_AT = 34

/** `headpond topic --help`. */
export function familyHelp({ name, summary, isLocal, verbs }: VerbFamily): string {
  return [
    `Usage: headpond ${name} <verb> ...`,
    '',
    summary,
    '',
    ...verbs.flatMap((verb) => entry(`${name} ${verb.name} ${verb.usage}`.trimEnd(), verb.summary)),
    '',
    ...(isLocal
      ? []
      : ['Any Kafka will do, not only this one. Everywhere:', '', ...CONNECTION_FLAGS.flatMap(flagEntry), '']),
    `headpond ${name} <verb> --help tells more.`,
    'Exit code: 0 when everything was done, 1 when not, 2 when the command line is wrong.',
    '',
  ].join('\n')
}

/** `headpond topic create --help`. */
export function verbHelp({ name: family, isLocal }: VerbFamily, verb: Verb): string {
  return [
    `Usage: headpond ${family} ${verb.name} ${verb.usage}`.trimEnd(),
    '',
    `${verb.summary}.`,
    ...(verb.flags.length > 0 ? ['', ...verb.flags.flatMap(flagEntry)] : []),
    ...(verb.details === undefined ? [] : ['', verb.details]),
    '',
    'Examples',
    ...verb.examples.map((example) => `  headpond ${family} ${verb.name} ${example}`.trimEnd()),
    '',
    ...(isLocal ? [] : ['Connection', ...CONNECTION_FLAGS.flatMap(flagEntry), '']),
  ].join('\n')
}

function flagEntry({ name, short, value, summary }: Flag): string[] {
  const names = short === undefined ? name : `${short}, ${name}`
  return entry(value === undefined ? names : `${names} ${value}`, summary)
}

function entry(head: string, summary: string): string[] {
  const start = `  ${head} `
  if (start.length > SUMMARY_AT) return [start.trimEnd(), ' '.repeat(SUMMARY_AT) + summary]
  return [start.padEnd(SUMMARY_AT) + summary]
}
