import type { ReportedWin } from '../win.ts'

const PLAYERS = [
  'Ada',
  'Barbara',
  'Donald',
  'Edsger',
  'Frances',
  'Grace',
  'Hedy',
  'John',
  'Katherine',
  'Leslie',
  'Niklaus',
]
const GAMES = ['Blackjack', 'Keno', 'Roulette', 'Slots', 'Wheel']

/** Somebody wins something: often little, seldom much. */
export function nextWin(random: () => number = Math.random): ReportedWin {
  const amountCents = Math.ceil(100 * 10 ** (5 * random() ** 3))
  return { player: pick(PLAYERS, random), game: pick(GAMES, random), amountCents }
}

function pick(names: readonly string[], random: () => number): string {
  return names[Math.floor(random() * names.length)]!
}
