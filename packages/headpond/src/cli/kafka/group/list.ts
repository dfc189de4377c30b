import { describeGroup, listGroups as requestGroups } from '../../../kafka/client/groups.ts'
import { matches } from '../topic/list.ts'
import { DONE, JSON_FLAG, type Verb, type VerbContext } from '../verb.ts'
import { groupProgress } from './lag.ts'

/** So many groups are asked about at a time. */
const ASKED_AT_ONCE = 16

export const listGroups: Verb = {
  name: 'list',
  usage: '[pattern]',
  summary: 'Show the consumer groups, with their members and how far behind they are',
  flags: [
    { name: '--state', short: '-s', value: '<state,...>', summary: 'Only groups in these states: stable, empty ...' },
    JSON_FLAG,
  ],
  details: 'A pattern is a glob: billing, billing.*.',
  examples: ['', "'billing.*' --json", '--state empty'],
  run,
}

async function run({ args, output, connect }: VerbContext): Promise<number> {
  const pattern = args.words.length === 0 ? '*' : args.onlyWord('pattern')
  const states = new Set(args.list('--state').map((state) => state.toLowerCase()))
  const client = await connect()
  const listed = (await requestGroups(client)).filter(({ group }) => matches(pattern, group))
  const rows = []
  for (let at = 0; at < listed.length; at += ASKED_AT_ONCE) {
    const some = listed.slice(at, at + ASKED_AT_ONCE)
    rows.push(
      ...(await Promise.all(
        some.map(async ({ group, protocolType, type }) => {
          const described = await describeGroup(client, group)
          const progress = await groupProgress(client, group)
          const lags = [...progress].map(({ value }) => value.lag ?? 0)
          return {
            group,
            type: type ?? 'classic',
            protocolType,
            state: described.state,
            members: described.members.length,
            topics: [...progress.topics].length,
            lag: lags.reduce((total, lag) => total + lag, 0),
          }
        }),
      )),
    )
    output.status(() => `${rows.length} of ${listed.length} groups`)
  }
  const shown = rows.filter(({ state }) => states.size === 0 || states.has(state.toLowerCase()))
  if (output.isJson) output.json(shown)
  else if (shown.length === 0) {
    output.note(listed.length === 0 && pattern === '*' ? 'There are no groups.' : 'No group matches.')
  } else {
    output.table(
      [
        { title: 'GROUP' },
        { title: 'TYPE' },
        { title: 'STATE' },
        { title: 'MEMBERS' },
        { title: 'TOPICS' },
        { title: 'LAG' },
      ],
      shown.map(({ group, type, state, members, topics, lag }) => [group, type, state, members, topics, lag]),
    )
  }
  return DONE
}
