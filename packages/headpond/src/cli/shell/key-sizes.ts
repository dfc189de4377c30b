import { quoteBytes } from '../../config/quoting.ts'
import type { WireReply } from '../../resp/wire-reply.ts'
import { errorText, rawText } from './format.ts'
import { percentText, surveyKeys } from './scan.ts'
import type { Session } from './session.ts'
import { ShellError } from './shell-error.ts'

/** What is known of the keys of one type. */
interface TypeTally {
  readonly type: string
  /** Gives the size of a key; absent for types that have no such command. */
  readonly sizeCommand: string | undefined
  readonly unit: string
  keyCount: number
  sizeSum: number
  biggestSize: number
  biggestKey: Buffer | undefined
}

const SIZES: readonly (readonly [type: string, sizeCommand: string, unit: string])[] = [
  ['list', 'LLEN', 'items'],
  ['hash', 'HLEN', 'fields'],
  ['string', 'STRLEN', 'bytes'],
  ['stream', 'XLEN', 'entries'],
  ['set', 'SCARD', 'members'],
  ['zset', 'ZCARD', 'members'],
]

/** `--bigkeys` by number of elements, `--memkeys` by memory: the biggest of each type, and averages. */
export async function findBigKeys(session: Session): Promise<number> {
  const { console, options } = session
  const isByMemory = options.mode === 'memkeys'
  const samples = options.memoryUsageSamples === undefined ? [] : ['SAMPLES', String(options.memoryUsageSamples)]
  const tallies = new Map<string, TypeTally>()
  const tallyOf = (type: string): TypeTally => {
    const known = tallies.get(type)
    if (known !== undefined) return known
    const [, sizeCommand, unit] = SIZES.find(([name]) => name === type) ?? [type, undefined, '?']
    const counts = { keyCount: 0, sizeSum: 0, biggestSize: 0, biggestKey: undefined }
    const tally = { type, sizeCommand, unit: isByMemory ? 'bytes' : unit, ...counts }
    tallies.set(type, tally)
    return tally
  }
  for (const [type] of SIZES) tallyOf(type)

  const sizeRequest = (key: Buffer, { sizeCommand }: TypeTally): readonly (string | Buffer)[] | undefined => {
    if (isByMemory) return ['MEMORY', 'USAGE', key, ...samples]
    return sizeCommand === undefined ? undefined : [sizeCommand, key]
  }

  const { keyCount, keyBytes } = await surveyKeys(session, 'biggest', async (keys, percent) => {
    const types = await Promise.all(keys.map((key) => session.call('TYPE', key)))
    const found = keys.map((key, index) => ({ key, tally: typeNameOf(types[index]) }))
    const present = found.flatMap(({ key, tally }) => (tally === 'none' ? [] : [{ key, tally: tallyOf(tally) }]))
    const sizes = await Promise.all(
      present.map(({ key, tally }) => {
        const request = sizeRequest(key, tally)
        return request === undefined ? undefined : session.call(...request)
      }),
    )
    for (const [index, { key, tally }] of present.entries()) {
      const size = sizeOf(sizes[index])
      if (size === undefined) {
        const command = isByMemory ? 'MEMORY USAGE' : tally.sizeCommand
        console.printError(`Warning:  ${command} on ${quoteBytes(key)} failed (may have changed type)`)
        continue
      }
      tally.keyCount++
      tally.sizeSum += size
      if (size <= tally.biggestSize) continue
      tally.biggestSize = size
      tally.biggestKey = key
      const type = tally.type.padEnd(6)
      console.print(`[${percent}%] Biggest ${type} found so far '${quoteBytes(key)}' with ${size} ${tally.unit}\n`)
    }
  })
  console.print(summaryOf([...tallies.values()], keyCount, keyBytes))
  return 0
}

function typeNameOf(reply: WireReply): string {
  if (reply.kind === 'error') throw new ShellError(`TYPE returned an error: ${errorText(reply)}`)
  return rawText(reply)
}

/** 0 where there is nothing to ask; undefined when the key is gone, or is of another type by now. */
function sizeOf(reply: WireReply | undefined): number | undefined {
  if (reply === undefined) return 0
  return reply.kind === 'integer' ? Number(rawText(reply)) : undefined
}

function summaryOf(tallies: readonly TypeTally[], keyCount: number, keyBytes: number): string {
  const lines = [
    '',
    '-------- summary -------',
    '',
    `Sampled ${keyCount} keys in the keyspace!`,
    `Total key length in bytes is ${keyBytes} (avg len ${average(keyBytes, keyCount)})`,
    '',
  ]
  for (const { type, biggestKey, biggestSize, unit } of tallies) {
    if (biggestKey === undefined) continue
    lines.push(`Biggest ${type.padStart(6)} found '${quoteBytes(biggestKey)}' has ${biggestSize} ${unit}`)
  }
  lines.push('')
  for (const { type, keyCount: count, sizeSum, unit } of tallies) {
    const share = `${percentText(count, keyCount)}% of keys, avg size ${average(sizeSum, count)}`
    lines.push(`${count} ${type}s with ${sizeSum} ${unit} (${share})`)
  }
  return `${lines.join('\n')}\n`
}

function average(sum: number, count: number): string {
  return (count === 0 ? 0 : sum / count).toFixed(2)
}
