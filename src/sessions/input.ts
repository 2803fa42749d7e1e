/** The check at the door, where the parts above the sessions look for it. */
export { checkedInput } from '../runtime/checked-input.ts'
