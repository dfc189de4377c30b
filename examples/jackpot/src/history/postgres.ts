import pg from 'pg'
import type { Database, Row } from './database.ts'

export async function openPostgres(url: string): Promise<Database> {
  const pool = new pg.Pool({ connectionString: url, max: 5, connectionTimeoutMillis: 10_000 })
  // A connection that breaks while nobody uses it: the next query takes another one.
  pool.on('error', () => {})
  return {
    run: async (sql, values = []) => (await pool.query<Row>(sql, [...values])).rows,
    async transaction(work) {
      const client = await pool.connect()
      try {
        await client.query('BEGIN')
        const result = await work({
          run: async (sql, values = []) => (await client.query<Row>(sql, [...values])).rows,
        })
        await client.query('COMMIT')
        client.release()
        return result
      } catch (error) {
        // A connection that may be in the middle of something is of no use to others.
        client.release(true)
        throw error
      }
    },
    close: () => pool.end(),
  }
}
