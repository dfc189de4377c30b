export interface Win {
  readonly id: string
  readonly player: string
  readonly game: string
  /** Whole cents: sums of fractions would drift. */
  readonly amountCents: number
  readonly wonAtMs: number
}

/** What one asks for who reports a win; the processor gives it its id and its time. */
export type ReportedWin = Pick<Win, 'player' | 'game' | 'amountCents'>

const NAME_CHARS_MAX = 40
const AMOUNT_CENTS_MAX = 1_000_000_000_00
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/

/** A reported win, or what is wrong with it, by field. */
export function parseWin(body: unknown): { win: ReportedWin } | { faults: Record<string, string> } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return { faults: { body: 'must be an object with player, game and amountCents' } }
  }
  const { player, game, amountCents, ...others } = body as Record<string, unknown>
  const faults: Record<string, string> = {}
  if (!isName(player)) faults['player'] = `must be a name of ${NAME_CHARS_MAX} characters at most`
  if (!isName(game)) faults['game'] = `must be a name of ${NAME_CHARS_MAX} characters at most`
  if (!Number.isInteger(amountCents) || Number(amountCents) < 1 || Number(amountCents) > AMOUNT_CENTS_MAX) {
    faults['amountCents'] = `must be a whole number from 1 to ${AMOUNT_CENTS_MAX}`
  }
  for (const name of Object.keys(others)) faults[name] = 'is not known'
  if (Object.keys(faults).length > 0) return { faults }
  return { win: { player, game, amountCents } as ReportedWin }
}

export function encodeWin(win: Win): string {
  return JSON.stringify(win)
}

/** Null for what is no win: a log outlives the programs that write to it. */
export function decodeWin(value: string): Win | null {
  try {
    const { id, wonAtMs, ...rest } = JSON.parse(value)
    const parsed = parseWin(rest)
    if (typeof id !== 'string' || id === '' || !Number.isSafeInteger(wonAtMs) || 'faults' in parsed) return null
    return { id, ...parsed.win, wonAtMs }
  } catch {
    return null
  }
}

function isName(value: unknown): value is string {
  return (
    typeof value === 'string' && value.trim() !== '' && value.length <= NAME_CHARS_MAX && !CONTROL_CHARACTER.test(value)
  )
}
