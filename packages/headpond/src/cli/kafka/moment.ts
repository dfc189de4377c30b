import { durationMs } from '../../server/duration.ts'
import { UsageError } from './kafka-cli-error.ts'

const DATE = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?))?(Z|[+-]\d{2}:?\d{2})?$/

/**
 * A moment as people write it: `2026-11-21T10:00:00.000Z`, or less of it (UTC unless it says otherwise, as Kafka's own
 * tools take it), or `@` and milliseconds since 1970, or how long ago: `15m`. Undefined for anything else.
 */
function parseMoment(text: string, nowMs: number): number | undefined {
  if (/^@\d+$/.test(text)) return Number(text.slice(1))
  const date = DATE.exec(text)
  if (date !== null) {
    const [, day, time = '00:00', zone = 'Z'] = date
    const ms = Date.parse(`${day}T${time}${zone}`)
    return Number.isNaN(ms) ? undefined : ms
  }
  if (/^\d+(\.\d+)?\s*(ms|s|m|h|d)$/.test(text)) return nowMs - durationMs(text)
  return undefined
}

/** Throws UsageError. */
export function momentOf(name: string, text: string, nowMs: number): number {
  const moment = parseMoment(text, nowMs)
  if (moment !== undefined) return moment
  throw new UsageError(`${name}: a date such as 2026-11-21T10:00:00, @milliseconds, or how long ago (15m), not ${text}`)
}

/** Where reading begins. */
export type StartPosition =
  | { readonly at: 'beginning' | 'end' }
  | { readonly at: 'offset'; readonly offset: number }
  | { readonly at: 'last'; readonly count: number }
  | { readonly at: 'time'; readonly timestampMs: number }

/** `beginning`, `end`, an offset, `-10` for the last ten, or a moment. Throws UsageError. */
export function parseStart(name: string, text: string, nowMs: number): StartPosition {
  if (text === 'beginning' || text === 'earliest') return { at: 'beginning' }
  if (text === 'end' || text === 'latest') return { at: 'end' }
  if (/^\d+$/.test(text)) return { at: 'offset', offset: Number(text) }
  if (/^-\d+$/.test(text)) return { at: 'last', count: Number(text.slice(1)) }
  const timestampMs = parseMoment(text, nowMs)
  if (timestampMs !== undefined) return { at: 'time', timestampMs }
  throw new UsageError(
    `${name}: beginning, end, an offset, -10 for the last ten, a date such as 2026-11-21T10:00:00, or how long ago (15m), not ${text}`,
  )
}
