-- What runs in the database: functions, triggers in all four states, views, materialized views over each other, a rule.
-- The triggers write rows that would be there twice, or not at all, if they fired while a copy is applied.

CREATE FUNCTION audit_order() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = shop, pg_temp AS $$
BEGIN
  INSERT INTO order_audit (order_id, revision, what) VALUES (NEW.id, NEW.revision, lower(TG_OP));
  RETURN NULL;
END
$$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION audit_order();

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END
$$;
CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION touch();
CREATE TRIGGER touch BEFORE INSERT OR UPDATE OF body, summary ON documents FOR EACH ROW EXECUTE FUNCTION touch();

-- Fires under the replica role too, unless somebody keeps it off.
CREATE FUNCTION count_ticket() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE shop.ticket_counts SET tickets = tickets + 1 WHERE bucket = NEW.id % 16;
  RETURN NULL;
END
$$;
CREATE TRIGGER count_always AFTER INSERT ON tickets FOR EACH ROW EXECUTE FUNCTION count_ticket();
ALTER TABLE tickets ENABLE ALWAYS TRIGGER count_always;

-- Fires under the replica role only: nobody should ever see it fire.
CREATE TABLE alarms (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what varchar(60) NOT NULL);
CREATE FUNCTION raise_alarm() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO shop.alarms (what) VALUES (TG_TABLE_NAME || ' ' || TG_NAME);
  RETURN NULL;
END
$$;
CREATE TRIGGER only_for_replicas AFTER INSERT OR UPDATE ON invoices FOR EACH ROW EXECUTE FUNCTION raise_alarm();
ALTER TABLE invoices ENABLE REPLICA TRIGGER only_for_replicas;
CREATE TRIGGER switched_off AFTER INSERT ON credit_notes FOR EACH ROW EXECUTE FUNCTION raise_alarm();
ALTER TABLE credit_notes DISABLE TRIGGER switched_off;
CREATE TRIGGER "Statement Trigger" AFTER TRUNCATE ON "Sales Dept"."user" FOR EACH STATEMENT EXECUTE FUNCTION raise_alarm();

-- A row trigger on a partitioned table is cloned to its partitions.
CREATE FUNCTION round_value() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.value := round(NEW.value::numeric, 6);
  RETURN NEW;
END
$$;
CREATE TRIGGER round_value BEFORE INSERT ON measurements FOR EACH ROW EXECUTE FUNCTION round_value();

CREATE FUNCTION customer_name(customer bigint, shout boolean DEFAULT false) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE COST 20 AS
$$ SELECT CASE WHEN shout THEN upper(full_name) ELSE full_name END FROM shop.customers WHERE id = customer $$;
CREATE PROCEDURE void_order(order_id uuid) LANGUAGE sql AS $$ UPDATE shop.orders SET status = 'void' WHERE id = order_id $$;
CREATE FUNCTION longest(state text, value text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN length(value) > length(coalesce(state, '')) THEN value ELSE state END $$;
CREATE AGGREGATE longest_of(text) (SFUNC = longest, STYPE = text);

CREATE VIEW open_orders AS
SELECT o.id, o.number, c.full_name AS customer, o.total FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status = 'open';
CREATE VIEW open_orders_by_customer WITH (security_barrier) AS
SELECT customer, count(*) AS orders, sum(total) AS total FROM open_orders GROUP BY customer HAVING count(*) > 0;
CREATE VIEW cheap_products AS SELECT id, name, price FROM products WHERE price < 10 WITH LOCAL CHECK OPTION;
CREATE RULE no_delete AS ON DELETE TO cheap_products DO INSTEAD NOTHING;
CREATE VIEW customer_cards AS SELECT id, full_name, email FROM customers;
CREATE FUNCTION rename_customer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE shop.customers SET family_name = NEW.full_name, given_name = NULL WHERE id = OLD.id;
  RETURN NEW;
END
$$;
CREATE TRIGGER rename INSTEAD OF UPDATE ON customer_cards FOR EACH ROW EXECUTE FUNCTION rename_customer();
CREATE RECURSIVE VIEW category_paths (id, path) AS
SELECT id, name::text FROM categories WHERE parent_id IS NULL
UNION ALL
SELECT c.id, p.path || ' / ' || c.name FROM categories c JOIN category_paths p ON p.id = c.parent_id;

-- Made in an order that is not the order of their names.
CREATE MATERIALIZED VIEW sales_by_product AS
SELECT l.product_id, sum(l.amount) AS amount, count(*) AS lines FROM order_lines l GROUP BY l.product_id;
CREATE UNIQUE INDEX sales_by_product_key ON sales_by_product (product_id);
CREATE MATERIALIZED VIEW best_sellers AS
SELECT p.category_id, max(s.amount) AS amount FROM sales_by_product s JOIN products p ON p.id = s.product_id GROUP BY p.category_id;
CREATE INDEX best_sellers_by_amount ON best_sellers (amount DESC);
CREATE MATERIALIZED VIEW "All Sales" AS SELECT now() AS refreshed_at, sum(amount) AS amount, (SELECT count(*) FROM best_sellers) AS categories FROM sales_by_product;
CREATE MATERIALIZED VIEW not_yet_filled AS SELECT count(*) AS clicks FROM clicks WITH NO DATA;
