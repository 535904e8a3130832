/**
 * Catalogues of what a person reads. A key that ends with ".one" has a partner
 * ".other"; which of them is said depends on n by the rules of the language.
 */
export type Params = Readonly<Record<string, string | number>>;

export interface Say<K extends string> {
  (key: K, params?: Params): string;
  /** BCP 47, for Intl and the lang attribute. */
  readonly language: "en" | "de";
}

/** Keys as they are called: "files" for "files.one" and "files.other". */
export type KeyOf<C> = keyof C extends infer K ? (K extends `${infer B}.one` | `${infer B}.other` ? B : K extends string ? K : never) : never;

export function say<C extends Readonly<Record<string, string>>>(catalogue: C, language: "en" | "de"): Say<KeyOf<C>> {
  const plural = new Intl.PluralRules(language);
  const number = new Intl.NumberFormat(language);
  const get = (key: string): string | undefined => (Object.hasOwn(catalogue, key) ? catalogue[key] : undefined);
  const f = (key: string, params: Params = {}): string => {
    const n = params["n"];
    const text = get(key) ?? get(`${key}.${typeof n === "number" && plural.select(n) === "one" ? "one" : "other"}`) ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const v = params[name];
      return v === undefined ? whole : typeof v === "number" ? number.format(v) : v;
    });
  };
  return Object.assign(f, { language }) as Say<KeyOf<C>>;
}
