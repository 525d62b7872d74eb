/** How to convert a store that we do not read. */
export function cureOfStore(type: string, file: string): string {
  const path = `'${file.replaceAll("'", "'\\''")}'`
  if (type === 'PKCS12') {
    return (
      'a truststore must be PEM. Convert it with: ' +
      `openssl pkcs12 -in ${path} -nokeys -out ca.pem, and give ssl.ca.location=ca.pem`
    )
  }
  return (
    `only Java reads ${type}. Convert it with: keytool -importkeystore -srckeystore ${path} -destkeystore store.p12 ` +
    '-deststoretype PKCS12. Give a keystore as ssl.keystore.location=store.p12 with ssl.keystore.type=PKCS12. ' +
    'For a truststore, then run: openssl pkcs12 -in store.p12 -nokeys -out ca.pem, and give ssl.ca.location=ca.pem'
  )
}
