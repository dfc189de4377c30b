/** Java's name of a cipher suite in the words of OpenSSL: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is ECDHE-RSA-AES128-GCM-SHA256. */
export function opensslNameOf(name: string): string {
  const match = /^(?:TLS|SSL)_(\w+)_WITH_(\w+)$/.exec(name)
  if (match === null) return name // of TLS 1.3, where both have the same, or OpenSSL's own
  const exchange = match[1] === 'RSA' ? '' : `${match[1].replaceAll('_', '-')}-`
  const cipher = match[2]
    .replace(/_CBC_/, '_')
    .replace(/(AES|CAMELLIA|ARIA)_(\d+)/, '$1$2')
    .replace(/^CHACHA20_POLY1305_SHA256$/, 'CHACHA20-POLY1305')
  return `${exchange}${cipher.replaceAll('_', '-')}`
}
