CREATE TABLE products (sku integer PRIMARY KEY, name text NOT NULL, cents integer NOT NULL);

INSERT INTO products SELECT n, 'Product ' || n, 100 + 37 * n FROM generate_series(1, 100) AS n;

CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text UNIQUE NOT NULL, sku integer NOT NULL REFERENCES products, quantity integer NOT NULL, cents integer NOT NULL, paid timestamptz NOT NULL DEFAULT now());

