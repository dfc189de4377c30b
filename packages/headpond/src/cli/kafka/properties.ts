/** A file of properties as Java writes them: `name=value`, `name: value`, `#` and `!` for comments, `\` at the end of a line. */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>()
  const lines = text.split(/\r\n|[\r\n]/)
  for (let at = 0; at < lines.length; at++) {
    let line = lines[at].trimStart()
    if (line === '' || line.startsWith('#') || line.startsWith('!')) continue
    while (/(?:^|[^\\])(?:\\\\)*\\$/.test(line) && at + 1 < lines.length)
      line = line.slice(0, -1) + lines[++at].trimStart()
    const [, name, value] = /^((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)$/s.exec(line)!
    properties.set(unescaped(name), unescaped(value).trimEnd())
  }
  return properties
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f' }

function unescaped(text: string): string {
  return text.replace(/\\u([\da-fA-F]{4})|\\(.)/gs, (_, code: string | undefined, character: string) =>
    code === undefined ? (ESCAPES[character] ?? character) : String.fromCharCode(Number.parseInt(code, 16)),
  )
}
