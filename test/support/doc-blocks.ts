import { readFileSync } from 'node:fs'

/** Code blocks of a page that are in `language`, in their order. */
export function blocksOf(path: string, language: string): string[] {
  const text = readFileSync(path, 'utf8')
  const blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
  return blocks.flatMap(([, found, code]) => (found === language ? [code as string] : []))
}
