import type { Command, KeyPlace, KeySpec } from './command.ts'
import type { Request } from './request.ts'

/**
 * Finds the keys of a request by its command's key specifications, as Redis's COMMAND GETKEYS does. `first` is the
 * argument that names the command (2 in COMMAND GETKEYS itself). Null when the arguments make no sense.
 */
export function keysOf(command: Command, request: Request, first = 0): readonly KeyPlace[] | null {
  const { keys = [], findKeys } = command.spec
  const dependsOnArguments = keys.some((spec) => spec.flags.includes('variable_flags'))
  if (findKeys !== undefined && (dependsOnArguments || keys.length === 0)) return findKeys(request, first)
  const found = keysBySpecs(keys, request, first)
  if (found === null && findKeys !== undefined) return findKeys(request, first)
  return found
}

/** Whether a command can have keys at all. */
export function canHaveKeys(command: Command): boolean {
  const { keys = [], findKeys } = command.spec
  return findKeys !== undefined || keys.some(({ flags }) => !flags.includes('not_key'))
}

function keysBySpecs(specs: readonly KeySpec[], request: Request, first: number): KeyPlace[] | null {
  const found: KeyPlace[] = []
  for (const spec of specs) {
    if (spec.flags.includes('not_key')) continue
    if ('unknown' in spec.begin || spec.flags.includes('incomplete')) return null
    const begin = beginOf(spec, request, first)
    if (begin === undefined) continue
    const range = rangeOf(spec, begin, request)
    if (range === null) return null
    const { begin: firstKey, last, step } = range
    if (last >= request.count || last < firstKey) return null
    for (let index = firstKey; index <= last; index += step) found.push({ index, flags: spec.flags })
  }
  return found
}

/** The argument at which a spec begins to count; undefined when its keyword is not there, so that it has no keys. */
function beginOf(spec: KeySpec, request: Request, first: number): number | undefined {
  if ('index' in spec.begin) return first + spec.begin.index
  if ('unknown' in spec.begin) return undefined
  const { keyword, startFrom } = spec.begin
  if (startFrom < 0) {
    for (let index = request.count + startFrom; index > first + 1; index--) {
      if (request.is(index, keyword)) return index + 1
    }
    return undefined
  }
  // At the very end it would be followed by no key.
  for (let index = first + startFrom; index < request.count - 1; index++) {
    if (request.is(index, keyword)) return index + 1
  }
  return undefined
}

function rangeOf(
  { find }: KeySpec,
  begin: number,
  request: Request,
): { begin: number; last: number; step: number } | null {
  if ('keyNumIndex' in find) {
    const countAt = begin + find.keyNumIndex
    if (countAt >= request.count) return null
    const count = request.integer(countAt)
    if (!(count >= 0)) return null
    const firstKey = begin + find.firstKey
    return { begin: firstKey, last: firstKey + (count - 1) * find.step, step: find.step }
  }
  if ('unknown' in find) return null
  const { lastKey, step, limit } = find
  if (lastKey >= 0) return { begin, last: begin + lastKey, step }
  // From the end; with a limit of n, the first n-th part of what is left.
  const left = limit > 1 ? Math.floor((request.count - begin) / limit) : request.count - begin
  return { begin, last: begin + left + lastKey, step }
}
