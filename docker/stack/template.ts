import { readFileSync } from 'node:fs'

const CONFIG = new URL('./config/', import.meta.url)

/**
 * The text of `config/<name>` with every `${word}` replaced by its value. Throws when a
 * placeholder has no value, because a service would take the placeholder literally.
 */
export function renderTemplate(name: string, values: Readonly<Record<string, string | number>>) {
  return readFileSync(new URL(name, CONFIG), 'utf8').replace(/\$\{(\w+)\}/g, (_, word: string) => {
    const value = values[word]
    if (value === undefined) throw new Error(`config/${name} asks for an unknown value: ${word}`)
    return String(value)
  })
}
