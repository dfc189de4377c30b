/** Conditions that some texts must meet: undefined, or what is wrong, in Redis's words. */

/** A name inside a directory, not a path out of it. */
export function checkName(name: string, directive: string, kind: string, mayBeEmpty: boolean): string | undefined {
  if (name === '') return mayBeEmpty ? undefined : `${directive} can't be empty`
  const isPath = name.includes('/') || name.includes('\\')
  return isPath ? `${directive} can't be a path, just ${kind}` : undefined
}

export function checkHostname(host: string): string | undefined {
  if (Buffer.byteLength(host) >= 256) return 'Hostnames must be less than 256 characters'
  return /^[a-zA-Z0-9.-]*$/.test(host)
    ? undefined
    : 'Hostnames may only contain alphanumeric characters, hyphens or dots'
}
