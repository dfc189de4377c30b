import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SeededRandom } from '../seeded-random.ts'

const CRASHES_PER_DIRECTORY = 10

/** A directory, the server that keeps its data there, and who works for it. */
export interface Life<Result> {
  start(): Promise<void>
  /** Lets them work, kills the server, starts it again, and looks whether everything is there that should be. */
  crash(): Promise<Result>
  /** Nothing of it runs any more. May be called twice. */
  stop(): Promise<void>
}

export interface CrashOptions<Result> {
  readonly count: number
  readonly seed: number
  readonly crashesPerDirectory?: number
  readonly onResult?: (result: Crash<Result>) => void
}

export type Crash<Result> = Result & { readonly index: number; readonly seed: number }

/** Life after life, until there were `count` crashes. A failure tells the seed that repeats it, and keeps the files. */
export async function crashRepeatedly<Result extends object>(
  name: string,
  { count, seed, crashesPerDirectory = CRASHES_PER_DIRECTORY, onResult }: CrashOptions<Result>,
  begin: (random: SeededRandom, directory: string) => Life<Result>,
): Promise<Crash<Result>[]> {
  const results: Crash<Result>[] = []
  for (let number = 0; results.length < count; number++) {
    const lifeSeed = (seed + number * 7919) >>> 0
    const directory = mkdtempSync(join(tmpdir(), `headpond-${name}-crash-`))
    const life = begin(new SeededRandom(lifeSeed), directory)
    try {
      await life.start()
      for (let crash = 0; crash < crashesPerDirectory && results.length < count; crash++) {
        const result = { ...(await life.crash()), index: results.length, seed: lifeSeed }
        results.push(result)
        onResult?.(result)
      }
      await life.stop()
      rmSync(directory, { recursive: true, force: true })
    } catch (error) {
      const problem = (error as Error).message
      throw new Error(`crash ${results.length + 1}, seed ${lifeSeed}, files kept in ${directory}: ${problem}`, {
        cause: error,
      })
    } finally {
      await life.stop()
    }
  }
  return results
}
