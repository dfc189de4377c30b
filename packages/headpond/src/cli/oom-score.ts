import { readFileSync, writeFileSync } from 'node:fs'
import type { Config } from '../config/config.ts'
import { systemMessage } from '../config/files.ts'
import type { ServerLog } from '../config/server-log.ts'

const PATH = '/proc/self/oom_score_adj'
const SCORE_MAX = 1000

/**
 * How readily Linux ends this process when memory runs out: as `oom-score-adj` says, and as it was before when that says
 * `no`. There is no child and no replica: of `oom-score-adj-values` the first counts.
 */
export function adjustOomScore(config: Config, log: Pick<ServerLog, 'warn'>, path = PATH): void {
  /** The score that was there before ours; null while ours is not in force. */
  let scoreBefore: number | null = null

  const adjust = () => {
    const { oomScoreAdj, oomScoreAdjValues } = config.settings
    if (oomScoreAdj === 'no' && scoreBefore === null) return undefined
    let verb = 'read'
    try {
      scoreBefore ??= Number.parseInt(readFileSync(path, 'latin1'), 10)
      verb = 'write'
      // `yes` is an older word for `relative`.
      const base = oomScoreAdj === 'absolute' ? 0 : scoreBefore
      const wanted = oomScoreAdj === 'no' ? scoreBefore : base + oomScoreAdjValues[0]
      if (oomScoreAdj === 'no') scoreBefore = null
      writeFileSync(path, `${Math.max(-SCORE_MAX, Math.min(SCORE_MAX, wanted))}\n`)
      return undefined
    } catch (error) {
      log.warn(`Unable to ${verb} oom_score_adj: ${systemMessage(error)}`)
      return 'Failed to set current oom_score_adj. Check server logs.'
    }
  }

  config.onChange('oom-score-adj', adjust)
  config.onChange('oom-score-adj-values', adjust)
  adjust()
}
