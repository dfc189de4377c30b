const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A duration as people write it: milliseconds as a number, or '250ms', '60s', '5m', '1.5h', '7d'. Throws RangeError. */
export function durationMs(duration: number | string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(String(duration).trim())
  const ms =
    typeof duration === 'number' ? duration : match === null ? Number.NaN : Number(match[1]) * UNITS_MS[match[2]]
  if (ms >= 0 && Number.isFinite(ms)) return ms
  throw new RangeError(`not a duration: ${duration} (write milliseconds, or '60s', '5m', '1h')`)
}
