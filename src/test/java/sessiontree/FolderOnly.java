package sessiontree;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;

/** Marks tests of the store's folder or its metrics: they are disabled if stores are databases. */
@Target({ElementType.TYPE, ElementType.METHOD})
@Retention(RetentionPolicy.RUNTIME)
@DisabledIfSystemProperty(
    named = "sessiontree.store",
    matches = "postgres",
    disabledReason = "it reads the folder or its metrics")
@interface FolderOnly {}
