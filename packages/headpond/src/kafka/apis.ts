import type { Api } from './api.ts'
import { apiVersions } from './handlers/api-versions.ts'
import { deleteRecords } from './handlers/delete-records.ts'
import { fetch } from './handlers/fetch.ts'
import { initProducerId } from './handlers/init-producer-id.ts'
import { listOffsets } from './handlers/list-offsets.ts'
import { metadata } from './handlers/metadata.ts'
import { offsetForLeaderEpoch } from './handlers/offset-for-leader-epoch.ts'
import { produce } from './handlers/produce.ts'

/** Everything that is served. ApiVersions tells of these and no others: clients fall back where an API is missing. */
export const apis: readonly Api[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  apiVersions,
  deleteRecords,
  initProducerId,
  offsetForLeaderEpoch,
]
