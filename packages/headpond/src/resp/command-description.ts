import type { Command, CommandFlag, KeySpec } from './command.ts'

/** What COMMAND tells of a command and its row leaves unsaid: it follows from what the row says, as in Redis. */

/** Flags in the order in which COMMAND INFO shows them; the others are hidden. */
const SHOWN_FLAGS: readonly CommandFlag[] = [
  'write',
  'readonly',
  'denyoom',
  'admin',
  'pubsub',
  'noscript',
  'blocking',
  'loading',
  'stale',
  'skip_monitor',
  'skip_slowlog',
  'asking',
  'fast',
  'no_auth',
  'no_mandatory_keys',
  'no_async_loading',
  'no_multi',
  'movablekeys',
  'allow_busy',
]

/** The ACL categories, in the order in which they are shown. */
export const ACL_CATEGORIES = [
  'keyspace',
  'read',
  'write',
  'set',
  'sortedset',
  'list',
  'hash',
  'string',
  'bitmap',
  'hyperloglog',
  'geo',
  'stream',
  'pubsub',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
  'scripting',
  'bloom',
] as const

export function shownFlags(command: Command): string[] {
  const flags = new Set(command.spec.flags)
  if (legacyKeyRange(command).isMovable) flags.add('movablekeys')
  return SHOWN_FLAGS.filter((flag) => flags.has(flag))
}

/** Without '@'. */
export function aclCategories(command: Command): string[] {
  const { acl, flags } = command.spec
  const categories = new Set(acl)
  const isScripting = categories.has('scripting')
  if (flags.includes('write')) categories.add('write')
  if (flags.includes('readonly') && !isScripting) categories.add('read')
  if (flags.includes('admin')) {
    categories.add('admin')
    categories.add('dangerous')
  }
  if (flags.includes('pubsub')) categories.add('pubsub')
  if (flags.includes('blocking')) categories.add('blocking')
  categories.add(flags.includes('fast') || categories.has('fast') ? 'fast' : 'slow')
  return ACL_CATEGORIES.filter((category) => categories.has(category))
}

export interface LegacyKeyRange {
  readonly firstKey: number
  readonly lastKey: number
  readonly step: number
  /** The range does not tell of every key: clients have to ask COMMAND GETKEYS. */
  readonly isMovable: boolean
}

/** Key positions in the words of COMMAND before Redis 7: one range, made of those specs that fit in one. */
export function legacyKeyRange(command: Command): LegacyKeyRange {
  const { keys = [] } = command.spec
  if (keys.length === 0) return { firstKey: 0, lastKey: 0, step: 0, isMovable: false }
  const [only] = keys
  const onlyRange = plainRange(only)
  if (keys.length === 1 && onlyRange !== null) {
    return { ...onlyRange, isMovable: only.flags.includes('incomplete') }
  }
  let firstKey = 0
  let lastKey = 0
  let isMovable = false
  for (const spec of keys) {
    const range = plainRange(spec)
    if (range === null || range.step !== 1 || (lastKey !== 0 && lastKey !== range.firstKey - 1)) {
      isMovable = true
      continue
    }
    if (spec.flags.includes('incomplete')) isMovable = true
    if (firstKey === 0) firstKey = range.firstKey
    // "From the end" reaches further than any number.
    lastKey = lastKey < 0 || range.lastKey < 0 ? Math.min(lastKey, range.lastKey) : Math.max(lastKey, range.lastKey)
  }
  if (firstKey === 0) return { firstKey: 0, lastKey: 0, step: 0, isMovable: true }
  return { firstKey, lastKey, step: 1, isMovable }
}

function plainRange({ begin, find }: KeySpec): { firstKey: number; lastKey: number; step: number } | null {
  if (!('index' in begin) || !('lastKey' in find)) return null
  const lastKey = find.lastKey >= 0 ? begin.index + find.lastKey : find.lastKey
  return { firstKey: begin.index, lastKey, step: find.step }
}
