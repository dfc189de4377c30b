import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'

export type SqlValue = string | number | null
export type Row = Readonly<Record<string, unknown>>

/** What SQLite and PostgreSQL have in common: statements with `$1, $2 ...`, numbered in the order in which they come. */
export interface Queries {
  run(sql: string, values?: readonly SqlValue[]): Promise<Row[]>
}

export interface Database extends Queries {
  /** All or nothing. */
  transaction<T>(work: (queries: Queries) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** As long as a service may take to stop. */
const OWNER_PATIENCE_MS = 25_000

/** `postgres://...`, or the path of a file for SQLite. */
export function openDatabase(url: string, ownerPatienceMs = OWNER_PATIENCE_MS): Promise<Database> {
  return /^postgres(ql)?:/.test(url) ? openPostgres(url) : openSqlite(url, ownerPatienceMs)
}
