/** Small means to change only what changed. Text always goes through textContent, so nothing that others wrote becomes markup. */

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the page has no ${id}`)
  return found
}

/**
 * @param {string} tag
 * @param {string} [className]
 * @param {(Node | string)[]} children
 */
export function element(tag, className = '', ...children) {
  const made = document.createElement(tag)
  if (className) made.className = className
  made.append(...children)
  return made
}

/** @param {Element} target @param {string | null | undefined} text */
export function setText(target, text) {
  const next = text ?? ''
  if (target.textContent !== next) target.textContent = next
}

/** Shows text, or hides the element if there is none. @param {HTMLElement} target @param {string | null | undefined} text */
export function showText(target, text) {
  setText(target, text)
  setHidden(target, !text)
}

/** @param {HTMLElement} target @param {boolean} isHidden */
export function setHidden(target, isHidden) {
  if (target.hidden !== isHidden) target.hidden = isHidden
}

/** Shows what `content` scrolls in, or hides it: nothing that is empty takes the focus. @param {HTMLElement} content @param {boolean} isHidden */
export function setScrollHidden(content, isHidden) {
  const scroll = content.closest('.scroll')
  if (scroll instanceof HTMLElement) setHidden(scroll, isHidden)
}

/** @param {Element} target @param {string} name @param {string | null} value null: the attribute goes away */
export function setAttribute(target, name, value) {
  if (target.getAttribute(name) === value) return
  if (value === null) target.removeAttribute(name)
  else target.setAttribute(name, value)
}

/**
 * The children of one element, one for each key. It keeps those that stay, so that focus and selection stay too.
 * @template Item
 * @template {{ root: HTMLElement, update(item: Item): void }} Row
 */
export class Rows {
  #parent
  #make
  /** @type {Map<string, Row>} */
  #rows = new Map()

  /** @param {Element} parent @param {(item: Item) => Row} make */
  constructor(parent, make) {
    this.#parent = parent
    this.#make = make
  }

  /** @param {readonly Item[]} items @param {(item: Item) => string} keyOf */
  show(items, keyOf) {
    const keys = new Set(items.map(keyOf))
    for (const [key, row] of this.#rows) {
      if (keys.has(key)) continue
      row.root.remove()
      this.#rows.delete(key)
    }
    let next = this.#parent.firstElementChild
    for (const item of items) {
      const key = keyOf(item)
      let row = this.#rows.get(key)
      if (!row) {
        row = this.#make(item)
        this.#rows.set(key, row)
      }
      row.update(item)
      if (row.root === next) next = next.nextElementSibling
      else this.#parent.insertBefore(row.root, next)
    }
  }
}
