import { dirname } from 'node:path'
import type { ConfigFiles } from '#src/config/files.ts'

/** A file system that is a map of absolute paths, so that a test tells all that a configuration can read. */
export class MemoryFiles implements ConfigFiles {
  readonly contents = new Map<string, string | Uint8Array>()
  standardInput = ''

  constructor(contents: Readonly<Record<string, string | Uint8Array>> = {}) {
    for (const [path, content] of Object.entries(contents)) this.contents.set(path, content)
  }

  read(path: string): Uint8Array {
    const content = this.contents.get(path)
    if (content === undefined) {
      throw Object.assign(new Error(`ENOENT: no such file or directory, open '${path}'`), { code: 'ENOENT' })
    }
    return Buffer.from(content)
  }

  readStandardInput(): Uint8Array {
    return Buffer.from(this.standardInput)
  }

  list(directory: string): string[] {
    const prefix = directory === '/' ? '/' : `${directory}/`
    const inside = [...this.contents.keys()].filter((path) => path.startsWith(prefix))
    return [...new Set(inside.map((path) => path.slice(prefix.length).split('/')[0]))]
  }

  isDirectory(path: string): boolean {
    return [...this.contents.keys()].some((file) => file.startsWith(`${path}/`) || dirname(file) === path)
  }

  replace(path: string, content: Uint8Array): void {
    this.contents.set(path, content)
  }

  text(path: string): string {
    return Buffer.from(this.read(path)).toString()
  }
}
