/**
 * What a log needs to know of its topic's configuration. A live object shared by the partitions of a topic: a change is
 * seen by the next append or the next round of maintenance.
 */
export interface LogSettings {
  segmentBytes: number
  segmentMs: number
  segmentJitterMs: number
  segmentIndexBytes: number
  indexIntervalBytes: number
  /** -1: no limit. */
  retentionMs: number
  /** -1: no limit. */
  retentionBytes: number
  /** Infinity: left to the operating system. */
  flushMessages: number
  /** Infinity: left to the operating system. */
  flushMs: number
  maxMessageBytes: number
  messageTimestampType: 'CreateTime' | 'LogAppendTime'
  messageTimestampBeforeMaxMs: number
  messageTimestampAfterMaxMs: number
  /** `cleanup.policy` contains `delete`. */
  isDeleted: boolean
  /** `cleanup.policy` contains `compact`. */
  isCompacted: boolean
  compressionType: 'producer' | 'uncompressed' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
  deleteRetentionMs: number
  minCompactionLagMs: number
  maxCompactionLagMs: number
  minCleanableDirtyRatio: number
  fileDeleteDelayMs: number
}

const HOUR_MS = 60 * 60 * 1000

/** Kafka's defaults. */
export const DEFAULT_LOG_SETTINGS: Readonly<LogSettings> = {
  segmentBytes: 2 ** 30,
  segmentMs: 7 * 24 * HOUR_MS,
  segmentJitterMs: 0,
  segmentIndexBytes: 10 * 2 ** 20,
  indexIntervalBytes: 4096,
  retentionMs: 7 * 24 * HOUR_MS,
  retentionBytes: -1,
  flushMessages: Number.POSITIVE_INFINITY,
  flushMs: Number.POSITIVE_INFINITY,
  maxMessageBytes: 2 ** 20 + 12,
  messageTimestampType: 'CreateTime',
  messageTimestampBeforeMaxMs: Number.POSITIVE_INFINITY,
  messageTimestampAfterMaxMs: HOUR_MS,
  isDeleted: true,
  isCompacted: false,
  compressionType: 'producer',
  deleteRetentionMs: 24 * HOUR_MS,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.POSITIVE_INFINITY,
  minCleanableDirtyRatio: 0.5,
  fileDeleteDelayMs: 60_000,
}
