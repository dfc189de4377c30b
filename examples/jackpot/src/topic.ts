import type { TopicPlan } from 'headpond-examples-shared'

/** Every win there ever was: the history and the leaderboard can be made from it again, so it keeps everything. */
export const WINS_TOPIC: TopicPlan = {
  name: 'jackpot-wins',
  partitionCount: 3,
  config: { 'retention.ms': '-1', 'retention.bytes': '-1' },
}
