/** Whether a text shows nothing: space, and characters without a shape (Unicode's Default_Ignorable_Code_Point). */
export function isBlank(text: string): boolean {
  return /^[\s\p{Default_Ignorable_Code_Point}]*$/u.test(text);
}
