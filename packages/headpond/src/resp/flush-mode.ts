import type { Client } from './client.ts'
import type { Request } from './request.ts'

/** Whether a flush is to be done in the background: as its argument ASYNC or SYNC says, else as the directive does. */
export function isAsyncFlush(client: Client, request: Request, modeAt: number): boolean {
  return request.count > modeAt ? request.is(modeAt, 'ASYNC') : client.engine.settings.lazyfreeLazyUserFlush
}
