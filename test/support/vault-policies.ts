import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const PAGE = resolve(import.meta.dirname, '../../docs/kms.md')
const POLICY = /```hcl\n# (\w+)\n([^`]*)```/g

/**
 * A Vault policy as docs/kms.md gives it for the KEK orders, by the word in its first line; here for
 * KEKs whose name fits `name`, where `+` is any one.
 */
export function vaultPolicy(what: 'seal' | 'read' | 'rewrap', name: string): string {
  for (const [, word, text = ''] of readFileSync(PAGE, 'utf8').matchAll(POLICY)) {
    if (word === what) return text.replaceAll('/orders"', `/${name}"`)
  }
  throw new Error(`docs/kms.md has no policy ${what}`)
}
