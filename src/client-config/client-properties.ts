import { RowmillError } from '../errors.ts'
import type { Property } from '../support/property-text.ts'

export type { Property } from '../support/property-text.ts'

/** The properties of one client. The last one of a name wins. Remembers which of them were read. */
export class ClientProperties {
  readonly #byName = new Map<string, Property>()

  constructor(given: Iterable<Property>) {
    for (const property of given) {
      this.#byName.delete(property.name) // its place is that of the last one
      this.#byName.set(property.name, property)
    }
  }

  /** The last of the properties with one of these names that has a value. Null if there is none. */
  find(...names: readonly string[]): Property | null {
    return [...this.#byName.values()].findLast(({ name, value }) => names.includes(name) && value.trim() !== '') ?? null
  }

  /** The same, as text without blanks around it. */
  text(...names: readonly string[]): string | null {
    return this.find(...names)?.value.trim() ?? null
  }

  /** What `parse` makes of the property. `parse` throws a message that says what a valid value is. Throws USAGE. */
  parsed<T>(names: readonly string[], parse: (text: string) => T): T | null {
    const property = this.find(...names)
    if (property === null) return null
    try {
      return parse(property.value.trim())
    } catch (error) {
      throw refused(property, (error as Error).message)
    }
  }

  flag(...names: readonly string[]): boolean | null {
    return this.parsed(names, text => {
      if (!/^(true|false)$/i.test(text)) throw new Error('it must be true or false')
      return text.toLowerCase() === 'true'
    })
  }

  /** A whole number of at least `least`. */
  whole(names: readonly string[], least: number): number | null {
    return this.parsed(names, text => {
      const number = Number(text)
      if (!/^\d+$/.test(text) || number < least || number > 0x7fffffff)
        throw new Error(`it must be a whole number from ${least} to 2147483647`)
      return number
    })
  }

  names(): string[] {
    return [...this.#byName.keys()]
  }

  [Symbol.iterator](): Iterator<Property> {
    return this.#byName.values()
  }
}

/** USAGE: a property that cannot be used. It shows no value, because it may be a secret. */
export function refused({ name, where }: Property, why: string): RowmillError {
  return new RowmillError('USAGE', `${where}: ${name}: ${why}`, { property: name })
}
