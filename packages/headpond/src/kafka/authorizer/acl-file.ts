import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { diskFiles } from '../../config/files.ts'
import { type Acl, isKnownNumber, OPERATION, PATTERN, PERMISSION, RESOURCE } from './acl.ts'

const FILE_NAME = 'acls.json'
const FORMAT_VERSION = 1

interface Stored {
  readonly version: number
  readonly acls: readonly Acl[]
}

/** Where entries outlive the broker: one file beside the logs, replaced as a whole, so that a crash leaves the old or the new. */
export class AclFile {
  readonly #path: string | null

  /** @param directory null: nothing is kept on disk */
  constructor(directory: string | null) {
    this.#path = directory === null ? null : join(directory, FILE_NAME)
  }

  /** Throws when there is a file that cannot be read: to go on without it would open what was closed. */
  load(): readonly Acl[] {
    if (this.#path === null) return []
    let text: string
    try {
      text = readFileSync(this.#path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
    const stored = this.#parse(text)
    if (stored.version !== FORMAT_VERSION) throw new Error(`${this.#path} has format ${stored.version}, not 1`)
    for (const [index, acl] of stored.acls.entries()) {
      if (!isAcl(acl)) throw new Error(`${this.#path}: entry ${index + 1} is no access control entry`)
    }
    return stored.acls
  }

  #parse(text: string): Stored {
    try {
      return JSON.parse(text) as Stored
    } catch (error) {
      throw new Error(`${this.#path} cannot be read: ${(error as Error).message}`)
    }
  }

  /** An entry a line, for people who look into it. On disk when it returns. */
  save(acls: Iterable<Acl>): void {
    if (this.#path === null) return
    mkdirSync(dirname(this.#path), { recursive: true })
    const lines = Array.from(acls, (acl) => `    ${JSON.stringify(acl)}`)
    const body = lines.length === 0 ? '[]' : `[\n${lines.join(',\n')}\n  ]`
    diskFiles.replace(this.#path, Buffer.from(`{\n  "version": ${FORMAT_VERSION},\n  "acls": ${body}\n}\n`))
  }
}

function isAcl(value: Acl): boolean {
  return (
    isKnownNumber(RESOURCE, value.resourceType) &&
    isKnownNumber(PATTERN, value.patternType) &&
    isKnownNumber(OPERATION, value.operation) &&
    isKnownNumber(PERMISSION, value.permissionType) &&
    typeof value.resourceName === 'string' &&
    typeof value.principal === 'string' &&
    typeof value.host === 'string'
  )
}
