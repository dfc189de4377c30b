import type { Api } from './api.ts'
import { apiVersions } from './handlers/api-versions.ts'
import { metadata } from './handlers/metadata.ts'

/** Everything that is served. ApiVersions tells of these and no others: clients fall back where an API is missing. */
export const apis: readonly Api[] = [metadata, apiVersions]
